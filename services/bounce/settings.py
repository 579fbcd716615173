"""Settings of Bounce."""

from pathlib import Path

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from emta.return_path import ReturnPaths
from services.chassis.settings import Listen, StoreSettings, Target


class BounceSettings(StoreSettings):
    """EMTA_BOUNCE_*."""

    model_config = SettingsConfigDict(env_prefix="EMTA_BOUNCE_")

    listen: Listen = Field(
        "127.0.0.1:50053", description="Address to serve gRPC on, host:port; port 0: any."
    )
    rules: Path | None = Field(
        None,
        description="File or folder of rules (TOML) that are tried before those that are shipped. Changes "
        "are in force within seconds; broken ones are refused. Empty: only the shipped rules.",
    )
    qualification_rows: int = Field(
        20_000,
        ge=100,
        description="Most qualification rows that no operator decided on, 2 KiB of the store each; the "
        "least used go first. Some thousand different texts a day are normal.",
    )
    first_text_days: int = Field(
        30,
        ge=1,
        le=365,
        description="How long the first raw reply of a qualification row is kept, days: it may hold an "
        "address. Normalised texts stay.",
    )
    feedback: Target = Field("127.0.0.1:50054", description="Feedback, host:port or dns:///name:port.")
    return_path_key: SecretStr | None = Field(
        None,
        description="Key of signed return paths, the same as EMTA_RELAY_RETURN_PATH_KEY. Several, "
        "comma-separated: what any of them has signed is believed; keep an old one for eleven days. Empty: "
        "no return path is believed.",
    )
    guard: bool = Field(
        True,
        description="Hold refusals for good as soft where a site suddenly refuses addresses that it "
        "accepted before (docs/reference/incidents.md).",
    )
    guard_hold_seconds: float = Field(
        14_400.0,
        gt=0,
        description="For how long an incident holds refusals, seconds; as long again while they go on.",
    )
    guard_longest_seconds: float = Field(
        86_400.0,
        gt=0,
        description="After how long the refusals of an incident are believed, whatever is said, seconds.",
    )

    @property
    def return_paths(self) -> ReturnPaths | None:
        """Reads return paths; None without a key."""
        key = self.return_path_key
        return None if key is None else ReturnPaths.parse(key.get_secret_value())

    @field_validator("return_path_key")
    @classmethod
    def _are_keys(cls, keys: SecretStr | None) -> SecretStr | None:
        if keys is not None:
            ReturnPaths.parse(keys.get_secret_value())
        return keys
