"""Mail addresses in header fields and amid words."""

from __future__ import annotations

import re

# Whole runs, looked into afterwards: a pattern that asks for an "@" within is quadratic where none is.
# Full-width punctuation and brackets end one too.
_RUN = re.compile(r"""[^\s<>()\[\]"'`,;:|\u3000-\u303f\uff00-\uff0f\uff1a-\uff1e]{3,320}""")
# Chinese, Japanese and Korean have no space between words and an address.
_WORDS = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_AROUND = re.compile(rf"^[{_WORDS}]+(?=[!-~])|(?<=[!-~])[{_WORDS}]+$")
_DOMAIN = re.compile(r"[\w-]+(?:\.[\w-]+)*")
_LOCAL = re.compile(r"[^\s<>\x00-\x1f\x7f@]{1,64}|\"[^\"\x00-\x1f\x7f]{0,62}\"")
_TYPED = re.compile(r"(?:rfc822|smtp|utf-8|mailto|x400|unknown|local|addr-type)[;:]\s*", re.IGNORECASE)
# RFC 6533 section 3: how UTF-8 travels in a delivery report of 7 bits.
_UNICODE = re.compile(r"\\x\{([0-9a-f]{1,6})\}", re.IGNORECASE)


def is_address(text: str) -> bool:
    """Whether it has the form of an address: a local part of at most 64 octets, and a domain."""
    local, _, domain = text.rpartition("@")
    return len(text) <= 320 and bool(_LOCAL.fullmatch(local)) and bool(_DOMAIN.fullmatch(domain))


def in_text(text: str) -> list[str]:
    """Give all addresses amid words, each once, in their order."""
    if "@" not in text:
        return []
    runs = (run if run.isascii() else _AROUND.sub("", run) for run in _RUN.findall(text) if "@" in run)
    found = dict.fromkeys(run.strip(".*=!?") for run in runs)
    return [each for each in found if is_address(each)]


def first_in(value: str) -> str:
    """Give the address in a header field or in the value of a report's field; '' where there is none."""
    value = value[:1_000]
    _, angle, rest = value.rpartition("<")
    if angle:
        inner, closing, _ = rest.partition(">")
        inner = inner.strip()
        if closing and is_address(inner):
            return inner
    bare = _UNICODE.sub(_character, _TYPED.sub("", value, count=1)).strip().strip("<>").strip()
    if is_address(bare):
        return bare
    return next(iter(in_text(bare)), "")


def _character(found: re.Match[str]) -> str:
    number = int(found[1], 16)
    return chr(number) if number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF else "\ufffd"
