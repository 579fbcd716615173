"""Rule files: TOML into rules and providers. What is wrong is said with file, line, rule and key.

docs/reference/rules.md explains how to write one.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from services.bounce.catalogue.rule import domain_of

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
_NAMES = {
    str: "a string",
    list: "a list of strings",
    int: "a number",
    (str, list): "a string or a list of strings",
}

ID = re.compile(r"[a-z0-9]+(?:[._-][a-z0-9]+)*")
# "{recipient}" in a pattern; "{2,5}" is a count of RE2.
WORDS = re.compile(r"\{([a-z]+(?:-[a-z]+)*)\}")
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
                f"{name}:{_line_of(text, table)}: unknown table {table}{nearest(table, _TABLES)}"
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


def _words(file: str, table: dict[str, Any], text: str) -> dict[str, str]:
    """Read the table of words: a name, and the patterns of which it stands for any."""
    words: dict[str, str] = {}
    for name, value in table.items():
        where = f"{file}:{_line_of(text, name)}: words {name}"
        if not WORDS.fullmatch(f"{{{name}}}"):
            raise RuleError(f"{where}: the name is not in lower case")
        if not isinstance(value, list):
            raise RuleError(f"{where} must be a list of strings")
        words[name] = f"(?:{'|'.join(map(joined, _strings(value, where)))})"
    return words


def _provider(file: str, name: str, value: Any, text: str) -> Provider:
    line = _line_of(text, f"[provider.{name}]")
    where = f"{file}:{{}}: provider {name}"
    if not isinstance(value, dict):
        raise RuleError(f"{where.format(line)}: is no table")
    if not ID.fullmatch(name):
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
            raise RuleError(f"{at(key)}: unknown key {key}{nearest(key, keys)}")
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


def joined(pattern: str) -> str:
    """Give a pattern that goes over several lines as one."""
    return "".join(line.strip() for line in pattern.splitlines()) if "\n" in pattern else pattern


def nearest(name: str, known: Iterable[str]) -> str:
    nearest = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {nearest[0]}?" if nearest else ""
