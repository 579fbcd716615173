"""The entries of rule files into rules: names into values, and whether a reply can mean what they say."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

from emta.bounce.v1.qualification_pb2 import (
    BounceCode,
    Cause,
    Disposition,
    FailureReason,
    FailureType,
    Scope,
)
from emta.bounce.v1.smtp_reply_pb2 import FailureKind, SmtpPhase
from emta.terms import CAMPAIGN_REASON, go_together
from services.bounce import terms
from services.bounce.catalogue.rule import EnhancedPattern, Rule, domain_of
from services.bounce.catalogue.rule_file import ID, WORDS, Provider, RuleError, RuleFile, joined, nearest

_CODE = re.compile(r"[2-5](?:\d\d?)?")
_WAIT = re.compile(r"(\d{1,5})(s|min|h)")
_SECONDS = {"s": 1, "min": 60, "h": 3_600}
_FINAL = Disposition.DISPOSITION_FINAL


def rules_of(file: RuleFile, providers: Mapping[str, Provider], words: Mapping[str, str]) -> list[Rule]:
    """Make the file's rules. Raises RuleError."""
    rules = []
    for line, entry in file.entries:
        try:
            rule = _rule(file.name, line, entry, providers, words)
            _check_meaning(rule)
            rules.append(rule)
        except ValueError as error:
            raise RuleError(f"{file.name}:{line}: rule {entry['id']}: {error}") from None
    return rules


def _rule(
    file: str,
    line: int,
    entry: dict[str, Any],
    providers: Mapping[str, Provider],
    words: Mapping[str, str],
) -> Rule:
    if not ID.fullmatch(entry["id"]):
        raise ValueError('id is not of the form "family.what-it-is", in lower case')
    codes = tuple(entry.get("codes", ()))
    if bad := [code for code in codes if not _CODE.fullmatch(code)]:
        raise ValueError(f'codes {bad[0]!r} is not the beginning of a reply code, as "5" or "550"')
    return Rule(
        file=file,
        line=line,
        id=entry["id"],
        mx=_sites(entry, providers),
        phases=frozenset(
            _value(SmtpPhase, "SMTP_PHASE_", "phases", each) for each in entry.get("phases", ())
        ),
        failures=frozenset(
            _value(FailureKind, "FAILURE_KIND_", "failures", each) for each in entry.get("failures", ())
        ),
        codes=codes,
        enhanced=tuple(map(EnhancedPattern.parse, entry.get("enhanced", ()))),
        text=_patterns(entry.get("text", []), words),
        unless=_patterns(entry.get("unless", []), words),
        bounce_code=_bounce_code(entry["bounce_code"]),
        type=_optional(FailureType, "FAILURE_TYPE_", "type", entry),
        reason=_optional(FailureReason, "FAILURE_REASON_", "reason", entry),
        disposition=_optional(Disposition, "DISPOSITION_", "disposition", entry),
        cause=_value(Cause, "CAUSE_", "cause", entry["cause"]),
        scope=_value(Scope, "SCOPE_", "scope", entry["scope"]),
        wait_seconds=_seconds(entry["wait"]) if "wait" in entry else None,
        source=entry["source"],
        samples=tuple(entry["samples"]),
        not_samples=tuple(entry.get("not_samples", ())),
    )


def _check_meaning(rule: Rule) -> None:
    """Say where a rule means what no reply can. Raises ValueError."""
    default = terms.MEANINGS[rule.bounce_code]
    kind, reason = rule.type or default.type, rule.reason or default.reason
    if reason not in CAMPAIGN_REASON:
        raise ValueError("reason is none that a message may have")
    if not go_together(kind, reason):
        raise ValueError("type and reason do not go together (contract 1.2)")
    if kind == FailureType.FAILURE_TYPE_HARD and rule.disposition not in (None, _FINAL):
        raise ValueError("disposition is final where the type is hard")


def _patterns(value: str | list[str], words: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(_spelled_out(each, words) for each in (value if isinstance(value, list) else [value]))


def _spelled_out(pattern: str, words: Mapping[str, str]) -> str:
    """Give a pattern with what "{name}" in it stands for. Raises ValueError."""

    def meaning(found: re.Match[str]) -> str:
        if found[1] not in words:
            raise ValueError(f"unknown words {found[0]}{nearest(found[1], words)}")
        return words[found[1]]

    return WORDS.sub(meaning, joined(pattern))


def _sites(entry: dict[str, Any], providers: Mapping[str, Provider]) -> tuple[str, ...]:
    sites = tuple(map(domain_of, entry.get("mx", ())))
    if (name := entry.get("provider")) is not None:
        if name not in providers:
            raise ValueError(f"unknown provider {name}{nearest(name, providers)}")
        sites += providers[name].mx
    return sites


def _seconds(wait: str) -> int:
    found = _WAIT.fullmatch(wait)
    if found is None:
        raise ValueError(f'wait {wait!r} has no unit: "90s", "15min", "2h"')
    return int(found[1]) * _SECONDS[found[2]]


def _bounce_code(number: int) -> BounceCode:
    if number not in terms.MEANINGS:
        raise ValueError(f"bounce_code {number} is none (contract 1.3)")
    return cast(BounceCode, number)


def _optional(enum: Any, prefix: str, key: str, entry: dict[str, Any]) -> Any:
    if key not in entry:
        return None
    if not (value := _value(enum, prefix, key, entry[key])):
        raise ValueError(f"{key} has no value {entry[key]}")
    return value


def _value(enum: Any, prefix: str, key: str, name: str) -> Any:
    known = [each.removeprefix(prefix).lower() for each in tuple(enum.keys())]
    if name not in known:
        raise ValueError(f"{key} has no value {name}{nearest(name, known)}")
    return enum.Value(prefix + name.upper())
