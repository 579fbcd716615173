"""Settings are right, or the start ends with one clear line."""

from __future__ import annotations

import pytest
from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import (
    CommaSeparated,
    SettingsError,
    StoreSettings,
    Target,
    describe,
    load_settings,
)


class Example(StoreSettings):
    model_config = SettingsConfigDict(env_prefix="EMTA_RELAY_")

    networks: CommaSeparated = Field((), description="Networks.")
    peer: Target = Field("127.0.0.1:1", description="A peer.")
    share: float = Field(0.5, gt=0, le=1, description="A share.")


def test_values_come_from_the_environment_and_defaults_fill_the_rest() -> None:
    settings = load_settings(Example, {"EMTA_RELAY_LISTEN": "0.0.0.0:1", "PATH": "/bin"})

    assert (settings.listen, settings.drain_seconds) == ("0.0.0.0:1", 30.0)


def test_lists_are_separated_by_commas_and_empty_means_the_default() -> None:
    environ = {"EMTA_RELAY_NETWORKS": "10.0.0.0/8, ::1/128,", "EMTA_RELAY_DRAIN_SECONDS": ""}

    settings = load_settings(Example, environ)

    assert settings.networks == ("10.0.0.0/8", "::1/128")
    assert settings.drain_seconds == 30.0


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        (
            {"EMTA_RELAY_LISTEM": "x"},
            "EMTA_RELAY_LISTEM is no setting of emta; did you mean EMTA_RELAY_LISTEN?",
        ),
        ({"EMTA_RELAY": "x"}, "EMTA_RELAY is no setting of emta"),
        ({"EMTA_FEEDBAK_LISTEN": "x"}, "EMTA_FEEDBAK_LISTEN is no setting of emta"),
        (
            {"EMTA_RELAY_TRACE_RATIO": "7"},
            "EMTA_RELAY_TRACE_RATIO: Input should be less than or equal to 1",
        ),
        ({"EMTA_RELAY_DRAIN_SECONDS": "soon"}, "EMTA_RELAY_DRAIN_SECONDS: Input should be a valid number"),
        ({"EMTA_RELAY_LISTEN": "nonsense"}, "EMTA_RELAY_LISTEN: must be of the form host:port"),
        ({"EMTA_RELAY_LISTEN": "127.0.0.1:99999"}, "EMTA_RELAY_LISTEN: the port must be 0 to 65535"),
        ({"EMTA_RELAY_LISTEN": "127.0.0.1:-5"}, "EMTA_RELAY_LISTEN: the port must be 0 to 65535"),
        ({"EMTA_RELAY_LISTEN": ":50051"}, "EMTA_RELAY_LISTEN: must be of the form host:port"),
        ({"EMTA_RELAY_PEER": "nohost"}, "EMTA_RELAY_PEER: must be of the form host:port"),
        ({"EMTA_RELAY_PEER": "peer:0"}, "EMTA_RELAY_PEER: the port must be 1 to 65535"),
        ({"EMTA_RELAY_PEER": "dns:///peer"}, "EMTA_RELAY_PEER: must be of the form host:port"),
        ({"EMTA_RELAY_LOG_LEVEL": "loud"}, "EMTA_RELAY_LOG_LEVEL: Input should be 'debug', 'info'"),
    ],
)
def test_a_mistake_is_one_line_that_names_the_variable_and_the_rule(
    environ: dict[str, str], line: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(Example, environ)

    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


def test_names_of_other_services_are_theirs_to_judge() -> None:
    load_settings(Example, {"EMTA_SIGNER_KEYS_DIR": "/keys", "EMTA_CLIENT_RELAY": "x:1"})


def test_a_password_shows_itself_nowhere() -> None:
    settings = load_settings(Example, {"EMTA_RELAY_REDIS_URL": "redis://:s3cret@store/0"})

    assert settings.redis_url is not None
    assert settings.redis_url.get_secret_value() == "redis://:s3cret@store/0"
    assert "s3cret" not in repr(settings) + str(settings)


def test_help_lists_every_setting_with_its_default() -> None:
    text = describe(Example)

    assert "EMTA_RELAY_LISTEN [127.0.0.1:0]" in text
    assert all(f"EMTA_RELAY_{name.upper()}" in text for name in Example.model_fields)


@pytest.mark.parametrize("address", ["[::]:50051", "0.0.0.0:0", "relay.example:65535"])
def test_addresses_of_every_kind_are_taken(address: str) -> None:
    environ = {"EMTA_RELAY_LISTEN": address, "EMTA_RELAY_PEER": "dns:///signer:50052"}

    settings = load_settings(Example, environ)

    assert (settings.listen, settings.peer) == (address, "dns:///signer:50052")


def test_help_says_what_a_value_may_be() -> None:
    lines = describe(Example).splitlines()

    def after(name: str) -> str:
        first = next(number for number, line in enumerate(lines) if f"EMTA_RELAY_{name} " in line + " ")
        text = []
        for line in lines[first + 1 :]:
            if not line.startswith("      "):
                break
            text.append(line.strip())
        return " ".join(text)

    assert after("LOG_LEVEL") == "Least severe log events to write. (debug, info, warning or error)"
    assert after("DRAIN_SECONDS").endswith("seconds. (0 or more)")
    assert after("SHARE") == "A share. (more than 0, at most 1)"
    assert after("REFLECTION").endswith("(true or false)")
    assert max(map(len, lines)) <= 80


def test_only_the_given_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMTA_RELAY_LISTEN", "0.0.0.0:9")
    monkeypatch.setenv("LISTEN", "0.0.0.0:8")

    assert load_settings(Example, {}).listen == "127.0.0.1:0"
    assert load_settings(Example).listen == "0.0.0.0:9"


def test_a_slip_beside_a_password_does_not_show_it() -> None:
    url = "redis://:s3cret@store/0"

    with pytest.raises(SettingsError) as caught:
        load_settings(Example, {"EMTA_RELAY_REDIS_URL": url, "EMTA_RELAY_REDIS": url})

    assert "s3cret" not in str(caught.value)
