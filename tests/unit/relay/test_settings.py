"""The Relay's settings: a value that it could not work with ends the start with one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.chassis.settings import SettingsError, load_settings
from services.relay.settings import RelaySettings


def test_what_holds_without_any_setting() -> None:
    settings = load_settings(RelaySettings, {})

    assert (settings.lease_seconds, settings.shards, settings.mx_rules) == (30.0, 8, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LEASE_SECONDS", "0.001"),
        ("LEASE_SECONDS", "inf"),
        ("HOLD_SECONDS", "1e400"),
        ("EHLO_NAME", "mta.example\rQUIT"),
        ("EHLO_NAME", "two words"),
        ("EHLO_NAME", "\xfc.example"),
        ("EHLO_NAME", "a..example"),
        ("EHLO_NAME", "a" * 64),
        ("RESOLVERS", "192.0.2.1"),
        ("RESOLVERS", "192.0.2.1:99999"),
        ("RESOLVERS", "192.0.2.1:\xb2"),
        ("RESOLVERS", "ns.example:53"),
        ("ALLOWED_NETWORKS", "10.0.0.1/8"),
        ("MX_RULES", "/nonexistent"),
        ("SHARDS", "0"),
        ("INTERNAL_HEADERS", "X-Ours,From"),
        ("INTERNAL_HEADERS", "X-Ours:"),
    ],
)
def test_a_bad_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^EMTA_RELAY_{name}: [^\n]+$"):
        load_settings(RelaySettings, {f"EMTA_RELAY_{name}": value})


def test_a_bad_rule_is_named_with_its_place(tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text("[default]\nconnections = 0\n")

    with pytest.raises(SettingsError, match=r"^EMTA_RELAY_MX_RULES: .*rules\.toml: default: connections"):
        load_settings(RelaySettings, {"EMTA_RELAY_MX_RULES": str(rules)})


@pytest.mark.parametrize(
    "name", ["mta.example", "localhost", "my_host", "[192.0.2.1]", "xn--mller-kva.example"]
)
def test_what_a_machine_may_be_called(name: str) -> None:
    assert load_settings(RelaySettings, {"EMTA_RELAY_EHLO_NAME": name}).ehlo_name == name
