"""Content normalisation: what Campaign hands over becomes what is signed and sent.

Pure: no input or output, no clock. The result has CRLF line ends, lines of at most 998 octets, a
header block that every parser reads alike, and no 8-bit octet unless it says so. What needs no
change stays as it is, byte for byte, and normalising the result again changes nothing. Dot-stuffing
is the session's business.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import NamedTuple

from emta.problems import invalid
from emta.relay.v1.message_pb2 import ContentChange
from services.relay import header_block, mime

# Campaign contract, decision 15.
MAX_CONTENT_OCTETS = 25 * 1024 * 1024


class Normalized(NamedTuple):
    """A message ready to be signed and sent.

    `body` is what follows the empty line in `content`. `needs_8bitmime`: it holds 8-bit octets (RFC 6152).
    `needs_smtputf8`: header fields hold some (RFC 6531). A receiver without the extension cannot take it.
    """

    content: bytes
    body: bytes
    changes: tuple[ContentChange, ...]
    needs_8bitmime: bool
    needs_smtputf8: bool


def normalize(
    content: bytes,
    *,
    now_ms: int,
    message_id: Callable[[], str],
    internal_fields: Collection[bytes] = (),
) -> Normalized:
    """Make `content` (RFC 5322, any line ends) fit for SMTP (campaign contract, decision 14).

    A missing Date becomes `now_ms` (Unix time), a missing Message-ID what `message_id` gives (with its
    brackets).
    `internal_fields`: fields to take out besides Bcc, names in lower case.
    Raises INVALID_ARGUMENT for the field "content": CONTENT_EMPTY, CONTENT_TOO_LARGE,
    CONTENT_HAS_NUL, LINE_TOO_LONG, ROUTING_LOOP, HEADER_MALFORMED, HEADER_MISSING, HEADER_REPEATED,
    HEADER_NOT_UTF8, MIME_TOO_DEEP, MIME_TOO_MANY_PARTS, MIME_BOUNDARY_MISSING,
    MIME_ENCODING_INVALID.
    """
    if not content:
        raise invalid("content", "CONTENT_EMPTY", "the message is empty")
    if len(content) > MAX_CONTENT_OCTETS:
        raise invalid("content", "CONTENT_TOO_LARGE", f"more than {MAX_CONTENT_OCTETS} octets")
    changes: set[ContentChange] = set()
    given_header, blank_line, body = mime.split(content)
    header = mime.to_crlf(given_header)
    if header and not header.endswith(b"\r\n"):
        header += b"\r\n"
    if header != given_header or blank_line != b"\r\n":
        changes.add(ContentChange.CONTENT_CHANGE_LINE_ENDS)

    header = header_block.mend(header, now_ms, message_id, internal_fields, changes)
    # The common message is clean: a few scans tell, and its parts are never looked into.
    utf8_header = False
    if not (header.isascii() and mime.is_clean(header) and mime.is_clean(body)):
        header, body, utf8_header = mime.to_wire(header, body, changes)
    if body and not body.endswith(b"\r\n"):
        # SMTP cannot carry a last line without its end, and what is signed must be what is sent.
        body += b"\r\n"
        changes.add(ContentChange.CONTENT_CHANGE_LINE_ENDS)
    return Normalized(
        content=b"%b\r\n%b" % (header, body) if changes else content,
        body=body,
        changes=tuple(sorted(changes)),
        needs_8bitmime=not (header.isascii() and body.isascii()),
        needs_smtputf8=utf8_header,
    )
