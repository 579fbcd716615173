"""Rule files: TOML into rules and providers. What is wrong is said with file, line, rule and key.

docs/reference/rules.md explains how to write one.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
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
from services.bounce.rule import EnhancedPattern, Rule, domain_of

_RULE_KEYS: Mapping[str, type | tuple[type, ...]] = {
    "id": str,
    "provider": str,
    "mx": list,
    "phases": list,
    "failures": list,
    "codes": list,
    "enhanced": list,
    "text": (str, list),
    "unless": (str, list),
    "bounce_code": int,
    "type": str,
    "reason": str,
    "disposition": str,
    "cause": str,
    "scope": str,
    "wait": str,
    "source": str,
    "samples": list,
    "not_samples": list,
}
_REQUIRED = ("id", "bounce_code", "cause", "scope", "source", "samples")
_PROVIDER_KEYS: Mapping[str, type | tuple[type, ...]] = {"mx": list, "hosts": list}
_TABLES = ("rule", "provider", "words", "disabled")
_MAPS = ("provider", "words")
_FINAL = Disposition.DISPOSITION_FINAL
_NAMES = {
    str: "a string",
    list: "a list of strings",
    int: "a number",
    (str, list): "a string or a list of strings",
}

_ID = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
_CODE = re.compile(r"[2-5](?:\d\d?)?")
# "{recipient}" in a pattern; "{2,5}" is a count of RE2.
_WORDS = re.compile(r"\{([a-z]+(?:-[a-z]+)*)\}")
_WAIT = re.compile(r"(\d{1,5})(s|min|h)")
_SECONDS = {"s": 1, "min": 60, "h": 3_600}
_RULE_HEADER = re.compile(r"\s*\[\[\s*rule\s*\]\]")
_QUOTES = re.compile(r"'''|\"\"\"")


class RuleError(Exception):
    """A rule that is wrong; the text names file, line, rule and key."""


@dataclass(frozen=True)
class Provider:
    """Who answers behind MX hosts within the domains `mx`. `hosts`: real MX hosts, for the rule check."""

    file: str
    name: str
    mx: tuple[str, ...]
    hosts: tuple[str, ...]


@dataclass(frozen=True)
class RuleFile:
    """What a file holds. Rules are `entries` until all providers are known."""

    name: str
    entries: tuple[tuple[int, dict[str, Any]], ...]
    providers: tuple[Provider, ...]
    words: Mapping[str, str]
    disabled: tuple[str, ...]


def read(name: str, content: bytes) -> RuleFile:
    """Read a file. Raises RuleError."""
    try:
        text = content.decode("utf-8-sig")  # some editors begin files with a mark
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RuleError(f"{name}: {error}") from None
    except RecursionError:
        raise RuleError(f"{name}: nested too deeply") from None
    for table, value in document.items():
        if table not in _TABLES:
            raise RuleError(
                f"{name}:{_line_of(text, table)}: unknown table {table}{_nearest(table, _TABLES)}"
            )
        if not isinstance(value, dict if table in _MAPS else list):
            kind = "table" if table in _MAPS else "list"
            raise RuleError(f"{name}:{_line_of(text, table)}: {table} is no {kind}")
    entries = document.get("rule", [])
    blocks = _blocks(text)
    if len(blocks) != len(entries):
        raise RuleError(f"{name}: every rule begins with a line [[rule]] of its own")
    for (line, block), entry in zip(blocks, entries, strict=True):
        _check_keys(entry, _RULE_KEYS, f"{name}:{{}}: rule {entry.get('id', '(without id)')}", line, block)
    return RuleFile(
        name=name,
        entries=tuple((line, entry) for (line, _), entry in zip(blocks, entries, strict=True)),
        providers=tuple(
            _provider(name, key, value, text) for key, value in document.get("provider", {}).items()
        ),
        words=_words(name, document.get("words", {}), text),
        disabled=_strings(document.get("disabled", []), f"{name}: disabled"),
    )


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
    if not _ID.fullmatch(entry["id"]):
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
    """Put in what "{name}" stands for, and join the lines of a long pattern. Raises ValueError."""

    def meaning(found: re.Match[str]) -> str:
        if found[1] not in words:
            raise ValueError(f"unknown words {found[0]}{_nearest(found[1], words)}")
        return words[found[1]]

    if "\n" in pattern:
        pattern = "".join(line.strip() for line in pattern.splitlines())
    return _WORDS.sub(meaning, pattern)


def _words(file: str, table: dict[str, Any], text: str) -> dict[str, str]:
    """Read the table of words: a name, and the patterns of which it stands for any."""
    words: dict[str, str] = {}
    for name, value in table.items():
        where = f"{file}:{_line_of(text, name)}: words {name}"
        if not _WORDS.fullmatch(f"{{{name}}}"):
            raise RuleError(f"{where}: the name is not in lower case")
        if not isinstance(value, list):
            raise RuleError(f"{where} must be a list of strings")
        words[name] = f"(?:{'|'.join(_strings(value, where))})"
    return words


def _sites(entry: dict[str, Any], providers: Mapping[str, Provider]) -> tuple[str, ...]:
    sites = tuple(map(domain_of, entry.get("mx", ())))
    if (name := entry.get("provider")) is not None:
        if name not in providers:
            raise ValueError(f"unknown provider {name}{_nearest(name, providers)}")
        sites += providers[name].mx
    return sites


def _provider(file: str, name: str, value: Any, text: str) -> Provider:
    line = _line_of(text, f"[provider.{name}]")
    where = f"{file}:{{}}: provider {name}"
    if not isinstance(value, dict):
        raise RuleError(f"{where.format(line)}: is no table")
    if not _ID.fullmatch(name):
        raise RuleError(f"{where.format(line)}: the name is not in lower case")
    block = text.splitlines()[line - 1 :]
    _check_keys(value, _PROVIDER_KEYS, where, line, block, _PROVIDER_KEYS, never_empty=_PROVIDER_KEYS)
    return Provider(file, name, tuple(map(domain_of, value["mx"])), tuple(map(domain_of, value["hosts"])))


def _check_keys(
    entry: dict[str, Any],
    keys: Mapping[str, type | tuple[type, ...]],
    where: str,
    line: int,
    block: list[str],
    required: Iterable[str] = _REQUIRED,
    never_empty: Iterable[str] = (),
) -> None:
    """Say what is wrong with the keys of a table that begins at `line` with the lines `block`."""

    def at(key: str) -> str:
        return where.format(line + _line_of("\n".join(block), key) - 1)

    for key, value in entry.items():
        if key not in keys:
            raise RuleError(f"{at(key)}: unknown key {key}{_nearest(key, keys)}")
        if not isinstance(value, keys[key]) or isinstance(value, bool):
            raise RuleError(f"{at(key)}: {key} must be {_NAMES[keys[key]]}")
        if isinstance(value, list):
            _strings(value, f"{at(key)}: {key}")
        if key in never_empty and not value:
            raise RuleError(f"{at(key)}: {key} is empty")
    if missing := [key for key in required if key not in entry]:
        are = "is" if len(missing) == 1 else "are"
        raise RuleError(f"{where.format(line)}: {', '.join(missing)} {are} missing")


def _blocks(text: str) -> list[tuple[int, list[str]]]:
    """Give the line where each rule begins, and its lines."""
    blocks: list[tuple[int, list[str]]] = []
    quote = ""
    for number, line in enumerate(text.splitlines(), 1):
        if not quote and _RULE_HEADER.match(line):
            blocks.append((number, []))
        if blocks:
            blocks[-1][1].append(line)
        for mark in _QUOTES.findall(line):
            quote = mark if not quote else "" if mark == quote else quote
    return blocks


def _line_of(text: str, key: str) -> int:
    """Give the line that begins with `key`; the first where none does, as in an inline table."""
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(rf'\s*\[*"?{re.escape(key.strip("[]"))}\b', line):
            return number
    return 1


def _strings(value: list[Any], where: str) -> tuple[str, ...]:
    if not all(isinstance(each, str) for each in value):
        raise RuleError(f"{where} must be a list of strings")
    return tuple(value)


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
        raise ValueError(f"{key} has no value {name}{_nearest(name, known)}")
    return enum.Value(prefix + name.upper())


def _nearest(name: str, known: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {nearest[0]}?" if nearest else ""
