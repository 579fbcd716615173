"""Settings of Bounce."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import StoreSettings


class BounceSettings(StoreSettings):
    """EMTA_BOUNCE_*."""

    model_config = SettingsConfigDict(env_prefix="EMTA_BOUNCE_")

    listen: str = Field("127.0.0.1:50053", description="Address to serve gRPC on, host:port; port 0: any.")
    rules: Path | None = Field(
        None,
        description="File or folder of rules (TOML) that are tried before those that are shipped. Changes "
        "are in force within seconds; broken ones are refused. Empty: only the shipped rules.",
    )
