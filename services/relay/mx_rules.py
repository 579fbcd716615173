"""MX rules: what we allow ourselves at a receiving site. Rules as data, checked when they are loaded.

docs/reference/mx-rules.md explains how to write one.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

DEFAULT = "default"

_KEYS: Mapping[str, type] = {
    "name": str,
    "mx": list,
    "connections": int,
    "messages_per_connection": int,
    "rate": str,
    "source": str,
}
_IN_WORDS = {str: "a string", list: "a list of strings", int: "a whole number"}
# Policy: far beyond what any receiver takes from one sender, so that a slip of the keyboard shows.
_MOST_CONNECTIONS = 10_000
_MOST_MESSAGES = 100_000
_MOST_PER_SECOND = 10_000.0
# Slower is a pause, not a rate; and what the store keeps of a site has an end.
_LEAST_PER_SECOND = 1 / 86_400

_SECONDS = {"s": 1, "min": 60, "h": 3_600, "day": 86_400}
_RATE = re.compile(rf"(\d{{1,9}}(?:\.\d{{1,9}})?)/({'|'.join(_SECONDS)})")
# Without a dot: a rule's name is never a host's name.
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
_PATTERN = re.compile(rf"(?:\*\.)?{_LABEL}(?:\.{_LABEL})+")
_TABLE = re.compile(r"\s*\[\[\s*rule\s*\]\]")


class MxRuleError(ValueError):
    """A rule that is wrong; the text names file, line, rule and key."""


@dataclass(frozen=True)
class MxRule:
    """What is allowed at a site, all relays together.

    `mx`: names of its MX hosts, "*.example.com" being all names below example.com. `connections`: open at
    once. `messages_per_second` None: as fast as it takes them. `source`: where the figures come from.
    """

    name: str
    mx: tuple[str, ...]
    connections: int
    messages_per_connection: int
    messages_per_second: float | None
    source: str


@dataclass(frozen=True)
class Site:
    """Receiving servers that share limits. `name` is their rule's, else that of their best MX host."""

    name: str
    rule: MxRule


class MxRules:
    """The rules in force."""

    def __init__(self, default: MxRule, rules: Mapping[str, MxRule]) -> None:
        self.default = default
        self._sites = {name: Site(name, rule) for name, rule in rules.items()}
        self._by_pattern = {mx: site for site in self._sites.values() for mx in site.rule.mx}

    @classmethod
    def load(cls, path: Path | None = None) -> MxRules:
        """Load the shipped rules and, over them, an operator's file. Raises MxRuleError."""
        shipped = resources.files("services.relay").joinpath("mx_rules.toml").read_bytes()
        files = [("mx_rules.toml", shipped)]
        if path is not None:
            try:
                files.append((str(path), path.read_bytes()))
            except OSError as error:
                raise MxRuleError(f"{path}: {error.strerror}") from None
        return cls.parse(files)

    @classmethod
    def parse(cls, files: list[tuple[str, bytes]]) -> MxRules:
        """Read (name, TOML) pairs; a later one changes single keys of rules by name. Raises MxRuleError."""
        tables: dict[str, dict[str, Any]] = {}
        where: dict[str, str] = {}
        for file, content in files:
            for place, name, table in _tables(file, content):
                _check(place, table)
                # Whoever changes a figure without a word on it is its source.
                tables[name] = tables.get(name, {}) | {"source": file} | table
                where[name] = place
        if DEFAULT not in tables:
            raise MxRuleError(f"{files[0][0]}: the table {DEFAULT} is missing")
        base = tables.pop(DEFAULT)
        default = _rule(where[DEFAULT], DEFAULT, {"mx": ()} | base)
        rules = {name: _rule(where[name], name, base | table) for name, table in tables.items()}
        _refuse_overlaps(rules, where)
        return cls(default, rules)

    def __iter__(self) -> Iterator[MxRule]:
        """The rules of named sites, in the order in which they are written."""
        return iter(site.rule for site in self._sites.values())

    def site(self, best_host: str) -> Site:
        """Give the site of an MX host, the best of its domain."""
        name = best_host.lower().rstrip(".")
        if (site := self._by_pattern.get(name)) is not None:
            return site
        rest = name
        while rest:
            rest = rest.partition(".")[2]
            if (site := self._by_pattern.get(f"*.{rest}")) is not None:
                return site
        return Site(name, self.default)

    def named(self, site: str) -> MxRule:
        """Give the rule of a site by the site's name."""
        known = self._sites.get(site)
        return self.default if known is None else known.rule


def _tables(file: str, content: bytes) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Give (place in the file, name of the rule, its table) for every table of a file."""
    try:
        text = content.decode()
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MxRuleError(f"{file}: {error}") from None
    if unknown := document.keys() - {DEFAULT, "rule"}:
        raise MxRuleError(f"{file}: unknown table {', '.join(sorted(unknown))}")
    default, entries = document.get(DEFAULT, {}), document.get("rule", [])
    if not isinstance(default, dict) or not isinstance(entries, list):
        raise MxRuleError(f"{file}: the default is written [default], a rule [[rule]]")
    if default:
        for key in default.keys() & {"name", "mx"}:
            raise MxRuleError(f"{file}: default: {key} belongs to a rule")
        yield f"{file}: {DEFAULT}", DEFAULT, default
    # TOML's parser tells no lines; rules are found again by their headers.
    lines = [number for number, line in enumerate(text.splitlines(), 1) if _TABLE.match(line)]
    seen: set[str] = set()
    for position, entry in enumerate(entries):
        line = f":{lines[position]}" if len(lines) == len(entries) else ""
        name = entry.get("name", "(without name)") if isinstance(entry, dict) else "(no table)"
        place = f"{file}{line}: rule {name}"
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise MxRuleError(f"{place}: name must be lower-case letters, digits and hyphens")
        if name == DEFAULT:
            raise MxRuleError(f"{place}: the default is written [default], without a name")
        if name in seen:
            raise MxRuleError(f"{place}: is there twice")
        seen.add(name)
        yield place, name, entry


def _check(place: str, table: dict[str, Any]) -> None:
    for key, value in table.items():
        if key not in _KEYS:
            raise MxRuleError(f"{place}: unknown key {key}")
        if type(value) is not _KEYS[key]:
            raise MxRuleError(f"{place}: {key} must be {_IN_WORDS[_KEYS[key]]}")
    for key, most in (("connections", _MOST_CONNECTIONS), ("messages_per_connection", _MOST_MESSAGES)):
        if key in table and not 1 <= table[key] <= most:
            raise MxRuleError(f"{place}: {key} must be 1 to {most}")
    if "rate" in table:
        _per_second(place, table["rate"])
    if "mx" in table and not table["mx"]:
        raise MxRuleError(f"{place}: mx is empty")
    for pattern in table.get("mx", ()):
        if not isinstance(pattern, str) or not _PATTERN.fullmatch(pattern):
            raise MxRuleError(
                f"{place}: mx {pattern!r}: must be a host name or *. and a domain name of two labels, in "
                "lower case, without a final dot"
            )


def _rule(place: str, name: str, table: dict[str, Any]) -> MxRule:
    for key in ("mx", "connections", "messages_per_connection"):
        if key not in table:
            raise MxRuleError(f"{place}: {key} is missing")
    return MxRule(
        name=name,
        mx=tuple(table["mx"]),
        connections=table["connections"],
        messages_per_connection=table["messages_per_connection"],
        messages_per_second=_per_second(place, table.get("rate", "unlimited")),
        source=table["source"],
    )


def _per_second(place: str, rate: str) -> float | None:
    """Read "100/s", "30/min", "10/h", "500/day" or "unlimited" (None). Raises MxRuleError."""
    if rate == "unlimited":
        return None
    parts = _RATE.fullmatch(rate)
    if parts is None:
        raise MxRuleError(
            f'{place}: rate "{rate}": must be like "100/s", "30/min", "10/h" or "500/day", or "unlimited"'
        )
    found = float(parts[1]) / _SECONDS[parts[2]]
    if not _LEAST_PER_SECOND <= found <= _MOST_PER_SECOND:
        raise MxRuleError(f'{place}: rate "{rate}": must be 1/day to {_MOST_PER_SECOND:.0f}/s')
    return found


def _refuse_overlaps(rules: Mapping[str, MxRule], where: Mapping[str, str]) -> None:
    """Refuse a host that two patterns match: which limits it has must not depend on the order."""
    owners: dict[str, str] = {}
    for name, rule in rules.items():
        for pattern in rule.mx:
            if pattern in owners:
                raise MxRuleError(f"{where[name]}: mx {pattern}: rule {owners[pattern]} has it too")
            owners[pattern] = name
    for pattern, name in owners.items():
        rest = pattern.removeprefix("*.")
        while rest:
            rest = rest.partition(".")[2]
            if (other := owners.get(f"*.{rest}")) is not None:
                raise MxRuleError(f"{where[name]}: mx {pattern}: *.{rest} of rule {other} matches it too")
