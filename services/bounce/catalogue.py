"""The catalogue: rules as data, checked when they are loaded.

Files are read in the order of their names and rules in the order of the file: the first match decides.
README.md beside this file explains how to write one.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import resources
from typing import Any

import re2

from emta.bounce.v1.qualification_pb2 import (
    BounceCode,
    Cause,
    Disposition,
    FailureReason,
    FailureType,
    Scope,
)
from emta.bounce.v1.smtp_reply_pb2 import FailureKind, SmtpPhase, SmtpReply

_KEYS = {
    "id": str,
    "mx": list,
    "phases": list,
    "failures": list,
    "codes": list,
    "enhanced": list,
    "text": str,
    "unless": str,
    "bounce_code": int,
    "type": str,
    "reason": str,
    "disposition": str,
    "cause": str,
    "scope": str,
    "source": str,
    "samples": list,
    "not_samples": list,
}
_REQUIRED = ("id", "bounce_code", "cause", "scope", "source", "samples")
_SAMPLE = re2.compile(
    r"(?:\[(?P<phase>[a-z]+)(?: (?P<failure>[a-z_]+))?(?: (?P<mx>[\w.-]+))?\] ?)?"
    r"(?:(?P<code>\d{3})\b ?)?(?:(?P<enhanced>[245]\.\d{1,3}\.\d{1,3})\b ?)?(?P<text>.*)"
)


class RuleError(Exception):
    """A rule that is wrong; the text names file, rule and key."""


@dataclass(frozen=True)
class Rule:
    """One entry of the catalogue. Empty matchers match everything."""

    id: str
    mx: tuple[str, ...]
    phases: frozenset[int]
    failures: frozenset[int]
    codes: tuple[str, ...]
    enhanced: Any | None
    text: Any | None
    unless: Any | None
    bounce_code: BounceCode
    type: FailureType | None
    reason: FailureReason | None
    disposition: Disposition | None
    cause: Cause
    scope: Scope
    samples: tuple[str, ...]
    not_samples: tuple[str, ...]

    def matches(self, reply: SmtpReply) -> bool:
        """Whether the rule speaks about `reply`."""
        return (
            (not self.failures or reply.failure in self.failures)
            and (not self.codes or str(reply.code).startswith(self.codes))
            and (not self.phases or reply.phase in self.phases)
            and (not self.mx or reply.mx_host.endswith(self.mx))
            and (self.enhanced is None or self.enhanced.fullmatch(reply.enhanced_code) is not None)
            and (self.text is None or self.text.search(reply.text) is not None)
            and (self.unless is None or self.unless.search(reply.text) is None)
        )


@dataclass(frozen=True)
class Catalogue:
    """All rules in the order in which they are tried, and the hash that names this set."""

    rules: tuple[Rule, ...]
    version: str

    providers: dict[str, tuple[str, ...]]

    def match(self, reply: SmtpReply, provider: str = "") -> Rule | None:
        """Give the first rule that speaks about `reply`."""
        if provider in self.providers and not reply.mx_host:
            reply = SmtpReply.FromString(reply.SerializeToString())
            reply.mx_host = "mx" + self.providers[provider][0]
        return next((rule for rule in self.rules if rule.matches(reply)), None)


def load() -> Catalogue:
    """Load the shipped catalogue. Raises RuleError."""
    folder = resources.files("services.bounce").joinpath("rules")
    files = sorted(
        (file.name, file.read_bytes()) for file in folder.iterdir() if file.name.endswith(".toml")
    )
    return parse(files)


def parse(files: Iterable[tuple[str, bytes]]) -> Catalogue:
    """Read (name, TOML) pairs into a catalogue. Raises RuleError."""
    rules: list[Rule] = []
    providers: dict[str, tuple[str, ...]] = {}
    digest = hashlib.sha256()
    for name, content in files:
        digest.update(content)
        try:
            document = tomllib.loads(content.decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise RuleError(f"{name}: {error}") from None
        if unknown := document.keys() - {"rule", "provider"}:
            raise RuleError(f"{name}: unknown table {', '.join(sorted(unknown))}")
        providers |= {key: tuple(value["mx"]) for key, value in document.get("provider", {}).items()}
        for entry in document.get("rule", []):
            rule = _rule(name, entry)
            if any(other.id == rule.id for other in rules):
                raise RuleError(f"{name}: rule {rule.id} is there twice")
            rules.append(rule)
    return Catalogue(tuple(rules), digest.hexdigest()[:16], providers)


def sample_reply(sample: str) -> SmtpReply:
    """Read a sample: "[phase failure mx] code enhanced text", every part optional."""
    parts = _SAMPLE.fullmatch(sample)
    assert parts is not None  # every part is optional
    return SmtpReply(
        phase=f"SMTP_PHASE_{(parts['phase'] or 'unspecified').upper()}",
        failure=f"FAILURE_KIND_{(parts['failure'] or 'unspecified').upper()}",
        mx_host=parts["mx"] or "",
        code=int(parts["code"] or 0),
        enhanced_code=parts["enhanced"] or "",
        text=parts["text"],
    )


def _rule(file: str, entry: dict[str, Any]) -> Rule:
    where = f"{file}: rule {entry.get('id', '(without id)')}"
    for key, value in entry.items():
        if key not in _KEYS:
            raise RuleError(f"{where}: unknown key {key}")
        if not isinstance(value, _KEYS[key]):
            raise RuleError(f"{where}: {key} must be a {_KEYS[key].__name__}")
    if missing := [key for key in _REQUIRED if key not in entry]:
        raise RuleError(f"{where}: {', '.join(missing)} is missing")
    try:
        return Rule(
            id=entry["id"],
            mx=tuple(entry.get("mx", ())),
            phases=frozenset(SmtpPhase.Value(f"SMTP_PHASE_{p.upper()}") for p in entry.get("phases", ())),
            failures=frozenset(
                FailureKind.Value(f"FAILURE_KIND_{f.upper()}") for f in entry.get("failures", ())
            ),
            codes=tuple(entry.get("codes", ())),
            enhanced=_enhanced(entry.get("enhanced", ())),
            text=_pattern(entry["text"]) if "text" in entry else None,
            unless=_pattern(entry["unless"]) if "unless" in entry else None,
            bounce_code=_bounce_code(entry["bounce_code"]),
            type=_value(FailureType, "FAILURE_TYPE_", entry.get("type")),
            reason=_value(FailureReason, "FAILURE_REASON_", entry.get("reason")),
            disposition=_value(Disposition, "DISPOSITION_", entry.get("disposition")),
            cause=_value(Cause, "CAUSE_", entry["cause"]),
            scope=_value(Scope, "SCOPE_", entry["scope"]),
            samples=tuple(entry["samples"]),
            not_samples=tuple(entry.get("not_samples", ())),
        )
    except (ValueError, re2.error) as error:
        raise RuleError(f"{where}: {error}") from None


def _enhanced(patterns: Iterable[str]) -> Any | None:
    """Compile ["5.1.1", "x.7.*"]: x stands for any class, * for any detail."""
    alternatives = [
        re2.escape(pattern).replace("x", "[245]", 1).replace(r"\*", r"\d+") for pattern in patterns
    ]
    return re2.compile("|".join(alternatives)) if alternatives else None


def _pattern(text: str) -> Any:
    options = re2.Options()
    options.case_sensitive = False
    options.log_errors = False
    return re2.compile(text, options)


def _bounce_code(number: int) -> BounceCode:
    return BounceCode.Value(BounceCode.Name(number))  # type: ignore[return-value]


def _value(enum: Any, prefix: str, name: str | None) -> Any:
    return None if name is None else enum.Value(prefix + name.upper())
