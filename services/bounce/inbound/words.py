"""The words by which mails of programs are told (words.toml), as patterns searched in linear time."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Protocol

from services.bounce.matcher import compiled

_LISTS = tomllib.loads(resources.files(__package__).joinpath("words.toml").read_text("utf-8"))


class Pattern(Protocol):
    """What of RE2's patterns is used here."""

    def search(self, text: str) -> object | None:
        """Find the pattern in a text; None where it is not there."""


def words(section: str, name: str) -> Pattern:
    """Give a list of words as one pattern."""
    pattern: Pattern = compiled("|".join(_LISTS[section][name]))
    return pattern


def names(section: str) -> list[str]:
    """Give the names of the lists in a section, in their order."""
    return list(_LISTS[section])
