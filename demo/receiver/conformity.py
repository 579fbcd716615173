"""What a sender does wrong in a message, by the standards. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

# Octets of a line, the CRLF included (RFC 5321 section 4.5.3.1.6).
_LINE_OCTETS = 1000
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_LONG_LINE = re.compile(rb"[^\n]{%d}" % _LINE_OCTETS)


def faults(mail_params: Mapping[str, str], content: bytes) -> Iterator[str]:
    """What is wrong with a message's content, sent after MAIL with these parameters."""
    if _BARE.search(content):
        yield "a CR or LF stands alone (RFC 5321 section 2.3.8)"
    if not content.isascii() and mail_params.get("BODY", "").upper() != "8BITMIME":
        yield "octets above 127 without BODY=8BITMIME (RFC 6152)"
    if _LONG_LINE.search(content):
        yield "a line of more than 1000 octets (RFC 5321 section 4.5.3.1.6)"
    declared = mail_params.get("SIZE")
    if declared is not None and declared.isdigit() and int(declared) < len(content):
        # RFC 1870 section 5 calls it an estimate; a sender that has the octets at hand can count them.
        yield f"SIZE={declared} declared, {len(content)} octets sent (RFC 1870)"
