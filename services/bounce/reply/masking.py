"""What rules see of a reply: its words, without what differs from one recipient to the next.

Two replies that differ only in addresses, identifiers or seconds are the same to every rule, which is why
one answer serves both. Linear in the length of the text.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from services.bounce.reply.word_by_word import WordByWord

ADDRESS = "*"
VARIABLE = "#xxx#"

# What the contract lets a reply have (smtp_reply.proto): two lines of SMTP (RFC 5321 section 4.5.3.1.5).
LONGEST = 1_024
# What is longer is rare, and must not fill the memory.
_LONGEST_REMEMBERED = 512
_SPACED_VARIABLE = f" {VARIABLE}"

_TYPOGRAPHY = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": "-"}
)
# Whole runs, looked into afterwards: a pattern that asks for an "@" within is quadratic where none is.
_MAYBE_ADDRESS = re.compile(r"""[^\s<>()\[\]"',;:]{2,}""")
_APOSTROPHE = re.compile(r"(?<=\w)'(?=\w)")
# "jo doe"@shop.example; a local part has 64 octets at most.
_QUOTED_ADDRESS = re.compile(r"""\"(?:[^"\\]|\\.){1,64}\"@[^\s<>()\[\]"',;:]*""", re.DOTALL)
# What a form or a link makes of an address. As everywhere here, tried only where a run begins.
_ENCODED_ADDRESS = re.compile(r"(?<![\w.+~%-])[\w.+~%-]+(?:%(?:25)?40|[(\[]at[)\]])[\w.-]*[^\W\d]")
# Without brackets it may be a place: "blocked at zen.spamhaus.org".
_SPELT_OUT_ADDRESS = re.compile(r"<[^\s<>]{1,64} at (?=[^\s<>]*\w\.\w)[^\s<>]+>")
_IPV4 = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b(?:/\d{1,2}\b)?", re.ASCII)
_IPV6 = re.compile(r"\b[0-9a-f]{1,4}(?:::?[0-9a-f]{1,4}){2,7}(?:::)?\b", re.IGNORECASE | re.ASCII)
# What an identifier, a date or a time is made of; Chinese has no spaces between its words and numbers.
_RUN = re.compile(r"[\w.:+=~-]{6,}", re.ASCII)
_LABEL = re.compile(r"[\w+=~-]+", re.ASCII)
_DIGIT = re.compile(r"[0-9]")
# Six digits and more; else the longer it is, the fewer groups of digits are enough.
_IDENTIFIER = re.compile(
    r"""
      [0-9]{6,}\Z
    | (?=.{8})  [^0-9]*[0-9]+[^0-9]+[0-9]+[^0-9]+[0-9]
    | (?=.{12}) [^0-9]*[0-9]+[^0-9]+[0-9]
    | (?=.{16}) [^0-9]*[0-9]
    """,
    re.VERBOSE,
)
UNITS = (
    "s|secs?|seconds?|secondes|sekunden|segundos|secondi|m|mins?|minutes?|minuten|minutos|minuti"
    "|h|hrs?|hours?|heures?|stunden?|horas?|ore"
)
_WITH_UNIT = re.compile(rf" \d{{1,5}}(?= ?(?:{UNITS})\b)", re.IGNORECASE | re.ASCII)


def masked(text: str) -> str:
    """Give the text as rules see it: at most 1,024 characters, NFKC, single spaces, variable parts masked.

    E-mail addresses become "*"; network addresses, identifiers, dates, numbers of six digits and more, and
    numbers before a unit of time become "#xxx#". Codes of providers, as S3150, OFR_506 or [TSS04], stay.
    """
    if "@" in text or len(text) > _LONGEST_REMEMBERED:
        return _masked(text[:LONGEST])
    return _masked_once(text)


def _masked(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_TYPOGRAPHY)[:LONGEST]
    if '"@' in text:
        text = _QUOTED_ADDRESS.sub(ADDRESS, text)
    text = _words.of(text)
    if " at " in text:
        text = _SPELT_OUT_ADDRESS.sub(f"<{ADDRESS}>", text)
    return _WITH_UNIT.sub(_SPACED_VARIABLE, text)


# Refusals that are about the sender name no recipient: they are the same to the letter, and come in bursts.
_masked_once = lru_cache(maxsize=256)(_masked)


def _word(word: str) -> str:
    if word.isalnum() and word.isascii():
        return VARIABLE if _is_identifier(word) else word
    if "@" in word:
        if "'" in word:  # o'neill@shop.example
            word = _APOSTROPHE.sub("", word)
        word = _MAYBE_ADDRESS.sub(_without_address, word)
    if "%" in word or "at" in word:
        word = _ENCODED_ADDRESS.sub(ADDRESS, word)
    if _DIGIT.search(word) is None:
        return word
    if "." in word:
        word = _IPV4.sub(VARIABLE, word)
    if word.count(":") > 1:
        word = _IPV6.sub(VARIABLE, word)
    return _RUN.sub(_run, word)


_words = WordByWord(_word)


def _without_address(found: re.Match[str]) -> str:
    return ADDRESS if "@" in found[0] else found[0]


def _run(found: re.Match[str]) -> str:
    """Mask an identifier. In a host's name only the labels that look like one: who it is stays."""
    run = found[0]
    if run.rpartition(".")[2].isalpha() and "." in run:
        return _LABEL.sub(lambda label: VARIABLE if _is_identifier(label[0]) else label[0], run)
    if any(_is_identifier(label) for label in _LABEL.findall(run)):
        return VARIABLE
    return run


def _is_identifier(label: str) -> bool:
    """Tell "4F2B81C0A2", "2024-11-24" and "d2e1a72fcca58-7f8a" from "S3150" and "OFR005_505"."""
    return _IDENTIFIER.match(label) is not None
