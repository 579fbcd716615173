"""Replies without their variable parts: what makes two of them the same (contract 5.1, decision 16)."""

from __future__ import annotations

import hashlib
import re

from services.bounce.reply.word_by_word import WordByWord

ADDRESS_MARK = "*"
VARIABLE_MARK = "#xxx#"

# Both tried where a run of their characters begins, and not within: that would be quadratic.
_ADDRESS = re.compile(r"(?:\"[^\"\s]*\"|(?<![^\s<>()\[\]\"',;:])[^\s<>()\[\]\"',;:]+)@[^\s<>()\[\]\"',;:]+")
_VARIABLE = re.compile(
    r"""
      \b\d{1,3}(?:\.\d{1,3}){3}\b(?:/\d{1,2})?            # IPv4 address, network
    | \b(?:[0-9a-f]{0,4}:){3,7}[0-9a-f]{0,4}\b            # IPv6 address
    | \b\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}\b                 # date
    | \b\d{1,2}:\d{2}(?::\d{2})?\b                        # time of day
    | (?<![\w.+~=-])(?=[\w.+~=-]*\d)(?=[\w.+~=-]*[a-z])[\w.+~=-]{12,}  # identifier: letters and digits
    | \+?\d[\d ()-]{7,}\d                                 # telephone number
    | \b\d{3,}\b                                          # number
    """,
    re.VERBOSE | re.IGNORECASE,
)
# Of the variable parts the only one that has spaces within: texts without go word by word.
_TELEPHONE_NUMBER = re.compile(r"\d[\d ()-]{7,}\d")


def normalized(code: int, enhanced_code: str, text: str) -> str:
    """Give a reply with addresses as "*" and variable parts as "#xxx#". Holds no personal data."""
    text = " ".join(text.split())
    text = _words.of(text) if _TELEPHONE_NUMBER.search(text) is None else _marked(text)
    return " ".join(filter(None, (str(code) if code else "", enhanced_code, text)))


def _marked(text: str) -> str:
    return _VARIABLE.sub(VARIABLE_MARK, _ADDRESS.sub(ADDRESS_MARK, text))


_words = WordByWord(_marked)


def key(normalized_text: str) -> str:
    """MD5 of a normalised text: the key of its qualification row, 32 hexadecimal digits."""
    return hashlib.md5(normalized_text.encode(), usedforsecurity=False).hexdigest()
