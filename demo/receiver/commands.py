"""The SMTP commands that carry something, and what a server says of MAIL. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from demo.receiver.traits import Traits

# A path in angle brackets; a quoted local part may have a ">" in it (RFC 5321 section 4.1.2).
_PATH = r'<((?:"(?:[^"\\]|\\.)*"|[^">])*)>'
# What follows the verb: the path and the parameters.
MAIL = re.compile(rf"FROM:{_PATH}(.*)", re.IGNORECASE | re.DOTALL)
RCPT = re.compile(rf"TO:{_PATH}(.*)", re.IGNORECASE | re.DOTALL)

NEEDS_SMTPUTF8 = "553 5.6.7 Address needs SMTPUTF8"
TOO_BIG = "552 5.3.4 Message size exceeds fixed limit"

_ENHANCED = re.compile(r"^(\d{3}[ -])\d\.\d{1,3}\.\d{1,3} ", re.MULTILINE)


def params_of(text: str) -> dict[str, str]:
    """Turn " BODY=8BITMIME SMTPUTF8" into {"BODY": "8BITMIME", "SMTPUTF8": ""}."""
    pairs = (word.partition("=") for word in text.split())
    return {name.upper(): value for name, _, value in pairs}


def refusal_of(mail_from: str, params: Mapping[str, str], traits: Traits) -> str | None:
    """What a server with `traits` says against MAIL; None: nothing."""
    offered = {
        "SIZE": traits.size is not None,
        "BODY": traits.eight_bit_mime,
        "SMTPUTF8": traits.smtputf8,
    }
    for name in params:
        if not offered.get(name, False):
            return f"555 5.5.4 Unsupported option: {name}"
    size = params.get("SIZE", "0")
    if not size.isdecimal():
        return "501 5.5.4 Syntax: SIZE=<octets>"
    if traits.size is not None and int(size) > traits.size:
        return TOO_BIG
    if not mail_from.isascii() and "SMTPUTF8" not in params:
        return NEEDS_SMTPUTF8
    return None


def without_enhanced_codes(reply: str) -> str:
    """The reply of a server that knows no RFC 3463."""
    return _ENHANCED.sub(r"\1", reply)
