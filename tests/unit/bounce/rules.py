"""Rules for tests, as TOML."""

from __future__ import annotations

from typing import Any

from emta.bounce.v1.smtp_reply_pb2 import SmtpReply
from services.bounce.catalogue.catalogue import Catalogue, parse, sample_reply

PROVIDERS = """
[provider.google]
mx = ["google.com"]
hosts = ["aspmx.l.google.com"]

[provider.microsoft]
mx = ["outlook.com"]
hosts = ["shop-example.mail.protection.outlook.com"]

[provider.outlook]
mx = ["olc.protection.outlook.com"]
hosts = ["hotmail-com.olc.protection.outlook.com"]
"""

REST = """
[[rule]]
id = "rest"
bounce_code = 1
cause = "unspecified"
scope = "unspecified"
source = "test"
samples = ["550 flurble"]
"""


def rule(name: str, **keys: Any) -> str:
    """A rule; what is not given is the same for all."""
    default: dict[str, Any] = {
        "bounce_code": 10,
        "cause": "mailbox",
        "scope": "recipient",
        "source": "test",
    }
    if "text" in keys:
        default["not_samples"] = ["550 nothing of the kind"]
    values = {"id": name, **default, "samples": [], **keys}
    lines = [f"{key} = {_toml(value)}" for key, value in values.items() if value is not None]
    return "\n".join(["[[rule]]", *lines, ""])


def catalogue(*rules: str, overrides: str = "") -> Catalogue:
    """A catalogue of these rules in one file, test.toml, after the providers."""
    shipped = [("00.toml", PROVIDERS.encode()), ("test.toml", "\n".join(rules).encode())]
    return parse(shipped, [("ours.toml", overrides.encode())] if overrides else ())


def winner(rules: Catalogue, sample: str, provider: str = "") -> str:
    """Id of the rule that takes a sample."""
    found = rules.match(reply(sample), provider)
    return "" if found is None else found.id


def reply(sample: str) -> SmtpReply:
    """A reply, written as samples are."""
    return sample_reply(sample)


def _toml(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return f"'''{value}'''" if isinstance(value, str) else str(value)
