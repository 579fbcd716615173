"""A reply without its words."""

from __future__ import annotations

from typing import NamedTuple


class Frame(NamedTuple):
    """All of a reply but its words.

    `code`: 200..599; 4 or 5 where no more than the class is known; 0 without a reply. `site`: the domains
    that rules name and its MX host lies in.
    """

    code: int
    enhanced: str
    phase: int
    failure: int
    site: tuple[str, ...]
