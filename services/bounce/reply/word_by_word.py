"""Texts word by word: what becomes of a word is remembered, for most words are those of templates."""

from __future__ import annotations

from collections.abc import Callable

# More than the templates of a day's replies are made of; hostile words fill some MiB at the worst.
_REMEMBERED = 8_192
_LONGEST_REMEMBERED = 64
# Longer words that change are addresses and identifiers: no two replies have the same one.
_LONGEST_TO_CHANGE = 16


class WordByWord(dict[str, str]):
    """Applies a function to the words of texts that are not of letters only; those stay."""

    def __init__(self, function: Callable[[str], str]) -> None:
        """`function`: gives what becomes of a word, whatever stands beside it."""
        self._function = function

    def of(self, text: str) -> str:
        """Give the text with what becomes of its words, and single spaces."""
        return " ".join([word if word.isalpha() else self[word] for word in text.split()])

    def __missing__(self, word: str) -> str:
        changed = self._function(word)
        if len(word) <= (_LONGEST_REMEMBERED if changed == word else _LONGEST_TO_CHANGE):
            if len(self) >= _REMEMBERED:
                self.clear()
            self[word] = changed
        return changed
