"""Texts word by word: what becomes of a word is remembered, for most words are those of templates."""

from __future__ import annotations

from collections.abc import Callable

# What all templates that are in use are made of; what no reply has had for so many new words is forgotten.
_REMEMBERED = 8_192
# Longer ones are rare, and must not fill the memory.
_LONGEST_REMEMBERED = 64


class WordByWord(dict[str, str]):
    """Applies a function to the words of texts. A look-up for each word, and nothing else, in C.

    Two generations: where the younger is full it takes the elder's place, so that words in use stay.
    """

    def __init__(self, function: Callable[[str], str]) -> None:
        """`function`: gives what becomes of a word, never the empty string."""
        self._function = function
        self._elder: dict[str, str] = {}

    def of(self, text: str) -> str:
        """Give the words of the text as the function gives them, with single spaces."""
        return " ".join(map(self.__getitem__, text.split()))

    def __missing__(self, word: str) -> str:
        if len(word) > _LONGEST_REMEMBERED:
            return self._function(word)
        if len(self) >= _REMEMBERED:
            self._elder = dict(self)
            self.clear()
        found = self[word] = self._elder.get(word) or self._function(word)
        return found
