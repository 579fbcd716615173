"""Re-encoding the parts of a MIME message (RFC 2045, RFC 2046) in place.

Works on the bytes: parts that need nothing stay as they are to the last octet, which no parser that
builds a tree and writes it out again can promise.
"""

from __future__ import annotations

import base64
import binascii
import quopri
import re
from dataclasses import dataclass, field
from email.message import Message

from emta.problems import Problem, invalid
from emta.relay.v1.message_pb2 import ContentChange

# RFC 5322 section 2.1.1, without the CRLF.
MAX_LINE = 998
# faults-and-attacks.md S31: what no honest message reaches, and what a hostile one may cost.
_MAX_DEPTH = 20
_MAX_PARTS = 100

_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:[^\r]*\r\n(?:[ \t][^\r]*\r\n)*")
_BINARY = re.compile(rb"content-transfer-encoding\s*:\s*binary", re.IGNORECASE)

Field = tuple[bytes, bytes]  # lower-case name, the whole field with its CRLFs


def split_entity(text: bytes) -> tuple[bytes, bytes]:
    """Cut an entity into header block (each field with its CRLF) and body, without the empty line."""
    if text.startswith(b"\r\n"):
        return b"", text[2:]
    header, separator, body = text.partition(b"\r\n\r\n")
    if not separator:
        return (text if text.endswith(b"\r\n") else text + b"\r\n"), b""
    return header + b"\r\n", body


def split_fields(header_block: bytes) -> list[Field] | None:
    """Cut a header block into its fields; None when something in it is no field."""
    fields = []
    position = 0
    while position < len(header_block):
        found = _FIELD.match(header_block, position)
        if found is None:
            return None
        fields.append((found[1].lower(), found[0]))
        position = found.end()
    return fields


def is_plain(body: bytes) -> bool:
    """Whether a body is ASCII with lines of at most 998 octets: then no part of it needs anything."""
    return body.isascii() and max(map(len, body.split(b"\r\n"))) <= MAX_LINE


def mentions_binary(text: bytes) -> bool:
    """Whether some part may be labelled binary, where line ends are not line ends."""
    return _BINARY.search(text) is not None


@dataclass
class Entity:
    """A message or a part of one: header fields and body."""

    fields: list[Field]
    body: bytes

    def to_bytes(self) -> bytes:
        """Write it out."""
        return b"".join(raw for _, raw in self.fields) + b"\r\n" + self.body

    def value(self, name: bytes) -> str:
        """Unfolded value of a field; empty when there is none."""
        for field_name, raw in self.fields:
            if field_name == name:
                return raw.partition(b":")[2].replace(b"\r\n", b"").decode("latin-1").strip()
        return ""

    def set(self, name: bytes, label: str, value: str) -> None:
        """Replace a field, or add it."""
        line = (name, f"{label}: {value}\r\n".encode("ascii"))
        for position, (field_name, _) in enumerate(self.fields):
            if field_name == name:
                self.fields[position] = line
                return
        self.fields.append(line)


@dataclass
class Encoding:
    """An entity after re-encoding, and what was done to it."""

    entity: Entity
    changes: set[ContentChange] = field(default_factory=set)


def encode(entity: Entity, line_ends_changed: bool) -> Encoding:
    """Re-encode the parts that are 8-bit or have over-long lines; multipart/signed stays as it is."""
    encoding = Encoding(entity)
    _Walk(encoding, line_ends_changed).visit(entity, depth=0)
    return encoding


class _Walk:
    def __init__(self, encoding: Encoding, line_ends_changed: bool) -> None:
        self._changes = encoding.changes
        self._line_ends_changed = line_ends_changed
        self._parts = 0

    def visit(self, entity: Entity, depth: int) -> None:
        """Re-encode `entity` in place."""
        if depth > _MAX_DEPTH:
            raise _refused("MIME_TOO_DEEP", f"content nests parts more than {_MAX_DEPTH} deep")
        self._parts += 1
        if self._parts > _MAX_PARTS:
            raise _refused("MIME_TOO_MANY_PARTS", f"content has more than {_MAX_PARTS} parts")
        kind = Message()
        kind["Content-Type"] = entity.value(b"content-type") or "text/plain"
        cte = entity.value(b"content-transfer-encoding").lower()
        if self._line_ends_changed and cte == "binary" and kind.get_content_maintype() != "text":
            raise _refused("BINARY_PART", "content has a part labelled binary that is not in CRLF lines")
        if is_plain(entity.body) and not (self._line_ends_changed and mentions_binary(entity.body)):
            return
        if kind.get_content_type() == "multipart/signed":
            _check_lines(entity.body)
        elif kind.get_content_maintype() == "multipart":
            self._visit_parts(entity, kind.get_boundary(), depth)
        elif kind.get_content_type() in ("message/rfc822", "message/global"):
            entity.body = self._nested(entity.body, depth)
        elif kind.get_content_maintype() == "message":
            raise _refused(
                "MESSAGE_PART_8BIT", f"content has a {kind.get_content_type()} part that is not 7-bit"
            )
        else:
            self._leaf(entity, kind.get_content_maintype() == "text", cte)

    def _visit_parts(self, entity: Entity, boundary: str | None, depth: int) -> None:
        if not boundary:
            raise _refused("MIME_MALFORMED", "content has a multipart without a boundary")
        delimiter = re.compile(
            rb"(?:\A|\r\n)--" + re.escape(boundary.encode("latin-1")) + rb"(--)?[ \t]*(?:\r\n|\Z)"
        )
        pieces: list[bytes] = []
        begin, inside, position = 0, False, 0
        while (found := delimiter.search(entity.body, position)) is not None:
            piece = entity.body[begin : found.start()]
            pieces += [self._nested(piece, depth) if inside else _outside(piece), found[0]]
            begin = found.end()
            if found[1]:
                inside = False
                break
            inside = True
            # The CRLF that ends this delimiter may begin the next one.
            position = max(found.end() - 2, found.start() + 1)
            begin = found.end()
        if not pieces:
            raise _refused("MIME_MALFORMED", "content has a multipart whose boundary never comes")
        rest = entity.body[begin:]
        pieces.append(self._nested(rest, depth) if inside else _outside(rest))
        entity.body = b"".join(pieces)

    def _nested(self, text: bytes, depth: int) -> bytes:
        """Re-encode a part given as text; one that needs nothing comes back as the same octets."""
        if is_plain(text) and not (self._line_ends_changed and mentions_binary(text)):
            return text
        header_block, body = split_entity(text)
        fields = split_fields(header_block)
        if fields is None or not header_block.isascii():
            raise _refused("MIME_MALFORMED", "content has a part with malformed or 8-bit header fields")
        _check_lines(header_block)
        entity = Entity(fields, body)
        self.visit(entity, depth + 1)
        return entity.to_bytes()

    def _leaf(self, entity: Entity, is_text: bool, cte: str) -> None:
        if cte == "base64":
            _rewrap(entity)
            self._changes.add(ContentChange.CONTENT_CHANGE_BASE64)
            return
        data = quopri.decodestring(entity.body) if cte == "quoted-printable" else entity.body
        if is_text:
            _name_charset(entity, data)
            entity.body = quoted_printable(data)
            entity.set(b"content-transfer-encoding", "Content-Transfer-Encoding", "quoted-printable")
            self._changes.add(ContentChange.CONTENT_CHANGE_QUOTED_PRINTABLE)
        else:
            entity.body = base64.encodebytes(data).replace(b"\n", b"\r\n")
            entity.set(b"content-transfer-encoding", "Content-Transfer-Encoding", "base64")
            self._changes.add(ContentChange.CONTENT_CHANGE_BASE64)
        if not entity.value(b"mime-version") and self._parts == 1:
            entity.set(b"mime-version", "MIME-Version", "1.0")


def quoted_printable(text: bytes) -> bytes:
    """Encode text with CRLF line ends as quoted-printable (RFC 2045 section 6.7)."""
    # The encoder leaves CR alone and takes its soft breaks from the first line end that it sees: give
    # it LF only. A lone CR (it was hidden in encoded text) is put in encoded.
    pieces = text.replace(b"\r\n", b"\n").split(b"\r")
    return b"=0D".join(binascii.b2a_qp(piece, istext=True) for piece in pieces).replace(b"\n", b"\r\n")


def _rewrap(entity: Entity) -> None:
    try:
        data = base64.b64decode(entity.body, validate=False)
    except binascii.Error:
        raise _refused("MIME_MALFORMED", "content has a broken base64 part") from None
    entity.body = base64.encodebytes(data).replace(b"\n", b"\r\n")


def _name_charset(entity: Entity, data: bytes) -> None:
    """A part without Content-Type is US-ASCII (RFC 2045 section 5.2): say what it really is."""
    if entity.value(b"content-type") or data.isascii():
        return
    try:
        data.decode()
        charset = "utf-8"
    except UnicodeDecodeError:
        charset = "unknown-8bit"  # RFC 1428 section 3
    entity.set(b"content-type", "Content-Type", f"text/plain; charset={charset}")


def _outside(text: bytes) -> bytes:
    """Preamble or epilogue of a multipart: shown to nobody, so nothing there is worth encoding."""
    if not text.isascii():
        raise _refused("MIME_MALFORMED", "content has 8-bit text outside of every part")
    _check_lines(text)
    return text


def _check_lines(text: bytes) -> None:
    if max(map(len, text.split(b"\r\n"))) > MAX_LINE:
        raise _refused(
            "LINE_TOO_LONG",
            f"content has a line over {MAX_LINE} octets that cannot be re-encoded",
        )


def _refused(reason: str, message: str) -> Problem:
    return invalid("content", reason, message)
