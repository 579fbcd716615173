"""A slip in the environment stops a service with one line that says which."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import CommaSeparated, SettingsError, StoreSettings, describe, load_settings


class Settings(StoreSettings):
    model_config = SettingsConfigDict(env_prefix="EMTA_RELAY_")

    smtp_port: int = Field(25, ge=1, le=65535, description="Port of receiving servers.")
    resolvers: CommaSeparated = Field((), description="Name servers, comma-separated.")


def refused(environ: dict[str, str]) -> str:
    with pytest.raises(SettingsError) as caught:
        load_settings(Settings, environ)
    return str(caught.value)


def test_without_settings_the_defaults_hold() -> None:
    settings = load_settings(Settings, {})

    assert (settings.smtp_port, settings.drain_seconds, settings.reflection) == (25, 30.0, False)
    assert settings.redis_url is None


def test_values_are_read_by_type() -> None:
    settings = load_settings(
        Settings,
        {
            "EMTA_RELAY_SMTP_PORT": " 2525 ",
            "EMTA_RELAY_REFLECTION": "true",
            "EMTA_RELAY_DATA_DIR": "/srv/emta",
            "EMTA_RELAY_RESOLVERS": "192.0.2.1:53, 192.0.2.2:53,",
        },
    )

    assert (settings.smtp_port, settings.reflection, settings.data_dir) == (2525, True, Path("/srv/emta"))
    assert settings.resolvers == ("192.0.2.1:53", "192.0.2.2:53")


def test_an_empty_value_means_the_default() -> None:
    environ = {"EMTA_RELAY_SMTP_PORT": "", "EMTA_RELAY_REDIS_URL": " "}

    settings = load_settings(Settings, environ)

    assert (settings.smtp_port, settings.redis_url) == (25, None)


def test_only_the_given_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMTA_RELAY_SMTP_PORT", "99")
    monkeypatch.setenv("SMTP_PORT", "98")

    assert load_settings(Settings, {}).smtp_port == 25
    assert load_settings(Settings).smtp_port == 99


def test_a_misspelt_name_is_refused_and_the_nearest_one_offered() -> None:
    assert refused({"EMTA_RELAY_SMTP_PROT": "25"}) == (
        "EMTA_RELAY_SMTP_PROT is no setting of emta; did you mean EMTA_RELAY_SMTP_PORT?"
    )


def test_a_misspelt_service_is_refused() -> None:
    assert refused({"EMTA_RELY_SMTP_PORT": "25"}).startswith("EMTA_RELY_SMTP_PORT is no setting")


@pytest.mark.parametrize("owner", ["SIGNER", "BOUNCE", "FEEDBACK", "CLIENT", "DEMO", "CONSOLE", "INGRESS"])
def test_the_names_of_others_are_theirs_to_judge(owner: str) -> None:
    assert load_settings(Settings, {f"EMTA_{owner}_ANYTHING": "x", "PATH": "/bin"}).smtp_port == 25


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("SMTP_PORT", "seventy", "valid integer"),
        ("SMTP_PORT", "0", "greater than or equal to 1"),
        ("SMTP_PORT", "65536", "less than or equal to 65535"),
        ("TRACE_RATIO", "1.5", "less than or equal to 1"),
        ("LOG_LEVEL", "loud", "'debug', 'info', 'warning' or 'error'"),
        ("REFLECTION", "perhaps", "valid boolean"),
        ("DRAIN_SECONDS", "-1", "greater than or equal to 0"),
        ("STORE_TIMEOUT_SECONDS", "0", "greater than 0"),
    ],
)
def test_a_bad_value_is_refused_in_one_line_with_its_name_and_rule(
    name: str, value: str, rule: str
) -> None:
    text = refused({f"EMTA_RELAY_{name}": value})

    assert text.startswith(f"EMTA_RELAY_{name}: ")
    assert rule in text
    assert "\n" not in text


def test_the_password_of_the_store_is_never_shown() -> None:
    url = "redis://relay:hunter2@store.example:6379/0"
    settings = load_settings(Settings, {"EMTA_RELAY_REDIS_URL": url})

    assert isinstance(settings.redis_url, SecretStr)
    assert settings.redis_url.get_secret_value() == url
    assert "hunter2" not in repr(settings) + str(settings) + str(settings.model_dump())
    assert "hunter2" not in refused({"EMTA_RELAY_REDIS_URL": url, "EMTA_RELAY_REDIS": url})


def test_help_tells_every_setting_with_default_and_meaning() -> None:
    text = describe(Settings)

    assert "EMTA_RELAY_SMTP_PORT [25]\n      Port of receiving servers." in text
    for name, field in Settings.model_fields.items():
        assert f"EMTA_RELAY_{name.upper()}" in text
        assert field.description is not None
        assert field.description in text
