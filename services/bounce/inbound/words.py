"""The words by which mails of programs are told (words.toml), as patterns searched in linear time."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Protocol

import re2

# What a pattern's automaton, which is made while it is used, may grow to: some 20 of them stay small.
_AUTOMATON_BYTES = 4 * 1024 * 1024

_LISTS = tomllib.loads(resources.files(__package__).joinpath("words.toml").read_text("utf-8"))


class Pattern(Protocol):
    """What of RE2's patterns is used here."""

    def search(self, text: str) -> object | None:
        """Find the pattern in a text; None where it is not there."""


def words(section: str, name: str) -> Pattern:
    """Give a list of words as one pattern."""
    options = re2.Options()
    options.case_sensitive = False
    options.never_capture = True
    options.max_mem = _AUTOMATON_BYTES
    pattern: Pattern = re2.compile("|".join(_LISTS[section][name]), options)
    return pattern


def names(section: str) -> list[str]:
    """Give the names of the lists in a section, in their order."""
    return list(_LISTS[section])
