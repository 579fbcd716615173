"""Mailbox files (mbox, RFC 4155): mails one behind the other, each behind a line "From address date"."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

# "From address Mon Nov  2 10:00:00 2026"; a sentence that begins with "From" has no time in it.
_BEGINS_MAIL = re.compile(rb"From \S* .*\d\d:\d\d")
_LONGEST_LINE = 64 * 1024


def is_mbox(content: bytes) -> bool:
    """Whether a file with this beginning is a mailbox file."""
    return _BEGINS_MAIL.match(content) is not None


def mails(file: BinaryIO, most_octets: int) -> Iterator[bytes]:
    """Cut a mailbox file into its mails; a file that is none is one mail. Raises OSError.

    Of a mail that is longer than `most_octets`, enough is given to tell so.
    """
    first = file.readline(_LONGEST_LINE)
    several, is_behind_empty = is_mbox(first), False
    mail = bytearray(first)
    for line in iter(lambda: file.readline(_LONGEST_LINE), b""):
        if several and is_behind_empty and is_mbox(line):
            yield bytes(mail)
            mail.clear()
        if len(mail) <= most_octets:
            mail += line
        is_behind_empty = not line.strip()
    yield bytes(mail)
