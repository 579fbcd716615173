"""The Signer's settings: the limits that no deployment may go below."""

from __future__ import annotations

import pytest

from services.chassis.settings import SettingsError, load_settings
from services.signer.settings import SignerSettings

# The longest validity of a message: 5 days of Campaign's, of which a Relay keeps 84 hours (3.5 days).
LONGEST_VALIDITY_DAYS = 3.5


def test_what_holds_without_any_setting() -> None:
    settings = load_settings(SignerSettings, {})

    assert settings.listen == "127.0.0.1:50052"
    assert settings.min_bits == 2048
    assert settings.threads >= 1
    assert settings.signature_days > LONGEST_VALIDITY_DAYS


def test_smaller_keys_must_be_asked_for() -> None:
    assert load_settings(SignerSettings, {"EMTA_SIGNER_MIN_BITS": "1024"}).min_bits == 1024


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EMTA_SIGNER_MIN_BITS", "1023"),
        ("EMTA_SIGNER_THREADS", "0"),
        ("EMTA_SIGNER_SIGNATURE_DAYS", str(LONGEST_VALIDITY_DAYS)),
        ("EMTA_SIGNER_RELOAD_SECONDS", "0"),
        ("EMTA_SIGNER_UNKNOWN", "1"),
    ],
)
def test_a_bad_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load_settings(SignerSettings, {name: value})
