"""What a submitted message's content must be, and the one normalisation it gets, at acceptance.

Line ends become CRLF, 8-bit and over-long parts are re-encoded, Bcc and internal header fields go, a
missing Date or Message-ID comes. Nothing else is touched, byte for byte, and nothing after signing.
Normalising twice changes nothing more.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from email.utils import formatdate, getaddresses

from emta.problems import Problem, invalid
from emta.relay.v1.message_pb2 import ContentChange
from services.relay import mime

# Contract decision 15.
MAX_CONTENT_BYTES = 25 * 1024 * 1024
# Postfix's default hop limit: more Received fields than that are a loop.
_MAX_RECEIVED = 50

# RFC 5322 section 3.6: at most one of each.
_ONCE = frozenset(
    {
        b"from",
        b"sender",
        b"reply-to",
        b"to",
        b"cc",
        b"message-id",
        b"in-reply-to",
        b"references",
        b"subject",
        b"date",
        b"mime-version",
        b"content-type",
        b"content-transfer-encoding",
    }
)
_LINE_END = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True)
class Normalized:
    """A message ready to be signed and sent: CRLF line ends, a final CRLF, lines of at most 998."""

    content: bytes
    changes: tuple[ContentChange, ...]
    needs_8bitmime: bool
    needs_smtputf8: bool


def normalize(
    content: bytes, *, now_ms: int, message_id: str, internal_fields: frozenset[bytes] = frozenset()
) -> Normalized:
    """Check and normalise a message. Raises Problem INVALID_ARGUMENT on the field "content".

    `message_id` is the Message-ID to add where there is none, with its angle brackets;
    `internal_fields` are lower-case names of header fields to remove.
    """
    if not content:
        raise _refused("CONTENT_EMPTY", "the message is empty")
    if len(content) > MAX_CONTENT_BYTES:
        raise _refused("CONTENT_TOO_LARGE", f"larger than {MAX_CONTENT_BYTES} octets")
    if b"\0" in content:
        raise _refused("CONTENT_HAS_NUL", "holds a NUL octet")
    changes: set[ContentChange] = set()
    text = _with_crlf(content)
    line_ends_changed = len(text) != len(content)
    header_block, body = mime.split_entity(text)
    fields = mime.split_fields(header_block)
    if fields is None or not fields:
        raise _refused("HEADER_MALFORMED", "does not begin with header fields (RFC 5322 section 2.2)")
    needs_smtputf8 = _check_fields(fields)
    fields = _edit_fields(fields, changes, internal_fields, now_ms, message_id)

    entity = mime.Entity(fields, body)
    if not mime.is_plain(body) or (line_ends_changed and mime.mentions_binary(text)):
        encoding = mime.encode(entity, line_ends_changed)
        entity = encoding.entity
        changes |= encoding.changes
    result = entity.to_bytes()
    if not result.endswith(b"\r\n"):
        result += b"\r\n"
        line_ends_changed = True
    if line_ends_changed:
        changes.add(ContentChange.CONTENT_CHANGE_LINE_ENDS)
    return Normalized(result, tuple(sorted(changes)), not entity.body.isascii(), needs_smtputf8)


def _with_crlf(content: bytes) -> bytes:
    pairs = content.count(b"\r\n")
    if pairs == content.count(b"\n") == content.count(b"\r"):
        return content
    return _LINE_END.sub(b"\r\n", content)


def _check_fields(fields: list[mime.Field]) -> bool:
    """Check the header fields; gives whether they need SMTPUTF8 at the receiver."""
    counts = Counter(name for name, _ in fields)
    for name in _ONCE & counts.keys():
        if counts[name] > 1:
            raise _refused(
                "HEADER_REPEATED", f"has {counts[name]} {_label(name)} fields, at most one may be"
            )
    if not counts[b"from"]:
        raise _refused("HEADER_MISSING", "has no From field")
    if counts[b"received"] > _MAX_RECEIVED:
        raise _refused("ROUTING_LOOP", f"has {counts[b'received']} Received fields: it runs in a loop")
    needs_smtputf8 = False
    for name, raw in fields:
        if max(map(len, raw.split(b"\r\n"))) > mime.MAX_LINE:
            raise _refused("LINE_TOO_LONG", f"{_label(name)} has a line over {mime.MAX_LINE} octets")
        if not raw.isascii():
            needs_smtputf8 = True
            _check_utf8(name, raw)
        if name == b"from":
            _check_from(raw)
    return needs_smtputf8


def _check_utf8(name: bytes, raw: bytes) -> None:
    try:
        raw.decode()
    except UnicodeDecodeError:
        raise _refused("HEADER_NOT_UTF8", f"{_label(name)} is neither ASCII nor UTF-8 (RFC 6532)") from None


def _check_from(raw: bytes) -> None:
    value = raw.partition(b":")[2].replace(b"\r\n", b"").decode()
    addresses = [address for _, address in getaddresses([value])]
    if not any(address.rpartition("@")[2] for address in addresses if "@" in address):
        raise _refused("FROM_MALFORMED", "From holds no address")


def _edit_fields(
    fields: list[mime.Field],
    changes: set[ContentChange],
    internal_fields: frozenset[bytes],
    now_ms: int,
    message_id: str,
) -> list[mime.Field]:
    kept = []
    names = set()
    for name, raw in fields:
        if name == b"bcc":
            changes.add(ContentChange.CONTENT_CHANGE_BCC_REMOVED)
        elif name in internal_fields:
            changes.add(ContentChange.CONTENT_CHANGE_INTERNAL_HEADER_REMOVED)
        else:
            kept.append((name, raw))
            names.add(name)
    if b"date" not in names:
        changes.add(ContentChange.CONTENT_CHANGE_DATE_ADDED)
        kept.append((b"date", f"Date: {formatdate(now_ms / 1000)}\r\n".encode()))
    if b"message-id" not in names:
        changes.add(ContentChange.CONTENT_CHANGE_MESSAGE_ID_ADDED)
        kept.append((b"message-id", f"Message-ID: {message_id}\r\n".encode()))
    return kept


def _label(name: bytes) -> str:
    return name.decode("ascii", "replace").title()


def _refused(reason: str, message: str) -> Problem:
    return invalid("content", reason, f"content {message}" if not message[0].isupper() else message)
