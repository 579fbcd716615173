"""A message's MIME structure, byte by byte: its 8-bit and long parts made fit for SMTP.

Parts are found and replaced where they stand. Nothing is parsed into objects and written out again,
so that parts which need no change keep every octet. Line ends may be CRLF, LF or CR on the way in.

What becomes of a part that does not fit:
- text: CRLF line ends and quoted-printable, whatever its charset; text in UTF-16 or UTF-32, whose
  octets are no lines: base64;
- anything else: base64 of its octets as they were given, so that a binary part stays whole;
- quoted-printable and base64 with too long lines: folded anew;
- multipart/signed: left as it is but for line ends, since any other change breaks the signature;
- what cannot be encoded (header fields, preambles, message/* other than whole messages): left.
What is left may need 8BITMIME; with a NUL or a too long line it is refused.
"""

from __future__ import annotations

import re
from base64 import encodebytes
from binascii import Error as Base64Error
from binascii import a2b_base64, a2b_qp, b2a_qp
from collections.abc import Iterator

from emta.problems import Problem, invalid
from emta.relay.v1.message_pb2 import ContentChange
from services.relay.mime_header import NOT_ENCODED, Kind, kind_of, name_charset, with_encoding

# RFC 5322 section 2.1.1, without the CRLF.
MAX_LINE_OCTETS = 998
# Far above what mail programs make; parsers of receivers give up (or crash) at some hundreds.
MAX_DEPTH = 20
MAX_PARTS = 100

_END = rb"(?>\r\n|\r|\n)"
_LINE_END = re.compile(_END)
_HEADER_END = re.compile(rb"(%b)(%b)" % (_END, _END))
_AFTER_BOUNDARY = re.compile(rb"(--)?[ \t]*+(?=[\r\n]|\Z)")
# Where these words stand, octets that look like line ends may be none.
_MAYBE_NO_LINES = re.compile(rb"binary|utf-?(?:16|32)|ucs-?[24]", re.IGNORECASE)


def is_clean(content: bytes) -> bool:
    """Whether it is 7-bit, without NUL, with CRLF line ends and no line over 998 octets."""
    return (
        content.isascii()
        and b"\0" not in content
        and has_crlf_only(content)
        and not _has_long_line(content)
    )


def has_crlf_only(content: bytes) -> bool:
    """Whether no CR stands without its LF, and no LF without its CR."""
    # To replace single octets is three times as fast as to count pairs: it is left to memchr.
    return content.replace(b"\r", b"").replace(b"\n", b"\r\n") == content


def to_crlf(content: bytes) -> bytes:
    """Make every CRLF, LF and CR a CRLF."""
    if has_crlf_only(content):
        return content
    return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")


def split(entity: bytes) -> tuple[bytes, bytes, bytes]:
    """Cut at the first empty line: the header block, the empty line's end, the body.

    Joined they give `entity` again. Without an empty line all of it is the header block.
    """
    header, empty_line, body = entity.partition(b"\r\n\r\n")
    if header and empty_line and has_crlf_only(header) and not header.startswith(b"\r\n"):
        return header + b"\r\n", b"\r\n", body
    if first := _LINE_END.match(entity):
        return b"", first[0], entity[first.end() :]
    if end := _HEADER_END.search(entity):
        return entity[: end.end(1)], end[2], entity[end.end() :]
    return entity, b"", b""


def to_wire(header: bytes, body: bytes, changes: set[ContentChange]) -> tuple[bytes, bytes, bool]:
    """Make a message fit for SMTP and note in `changes` what was done.

    `header` has CRLF line ends, `body` any. Returns both, and whether header fields hold UTF-8.
    Raises INVALID_ARGUMENT CONTENT_HAS_NUL, LINE_TOO_LONG, HEADER_NOT_UTF8, MIME_TOO_DEEP,
    MIME_TOO_MANY_PARTS, MIME_BOUNDARY_MISSING, MIME_ENCODING_INVALID.
    """
    walk = _Walk(changes)
    lines = to_crlf(body)
    if is_clean(header) and is_clean(lines) and not _MAYBE_NO_LINES.search(header + body):
        body = walk.lines(body)
    else:
        header, body = walk.entity(header, body, depth=1, is_message=True)
    for piece in (header, body):
        if b"\0" in piece:
            raise invalid("content", "CONTENT_HAS_NUL", "a NUL stands where none can be encoded")
        if _has_long_line(piece):
            raise invalid(
                "content",
                "LINE_TOO_LONG",
                f"a line of more than {MAX_LINE_OCTETS} octets stands where it cannot be encoded",
            )
    return header, body, walk.utf8_header


class _Walk:
    """One way through one message."""

    def __init__(self, changes: set[ContentChange]) -> None:
        self._changes = changes
        self._parts = 0
        self._encoded = 0
        self.utf8_header = False

    def lines(self, content: bytes) -> bytes:
        """Give `content` CRLF line ends."""
        lines = to_crlf(content)
        if lines != content:
            self._changes.add(ContentChange.CONTENT_CHANGE_LINE_ENDS)
        return lines

    def entity(
        self,
        header: bytes,
        body: bytes,
        *,
        depth: int,
        is_message: bool,
        default_type: bytes = b"text/plain",
    ) -> tuple[bytes, bytes]:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise invalid("content", "MIME_TOO_MANY_PARTS", f"more than {MAX_PARTS} parts")
        if depth > MAX_DEPTH:
            raise invalid("content", "MIME_TOO_DEEP", f"parts nested over {MAX_DEPTH} deep")
        header = self.lines(header)
        self._check_utf8(header)
        kind = kind_of(header, default_type)
        given = body
        if not kind.is_composite:
            body, encoding = self._leaf(kind, body)
        else:
            encoded_before = self._encoded
            body, encoding = self._composite(kind, body, depth), kind.encoding
            if self._encoded > encoded_before and encoding != b"7bit":
                encoding = b"7bit" if body.isascii() else b"8bit"
        if encoding == b"quoted-printable":
            header = name_charset(header, given)
        if encoding != kind.encoding:
            header = with_encoding(header, encoding, is_message=is_message)
        return header, body

    def _check_utf8(self, header: bytes) -> None:
        if header.isascii():
            return
        try:
            header.decode()
        except UnicodeDecodeError:
            raise invalid(
                "content", "HEADER_NOT_UTF8", "a header field holds 8-bit octets not in UTF-8"
            ) from None
        self.utf8_header = True

    def _composite(self, kind: Kind, body: bytes, depth: int) -> bytes:
        if kind.type in (b"message/rfc822", b"message/global", b"message/news"):
            return self._whole(body, depth, b"text/plain", is_message=True)
        if kind.type.startswith(b"message/"):
            return self.lines(body)
        if kind.type == b"multipart/signed":
            if to_crlf(body) != body and _MAYBE_NO_LINES.search(body):
                raise _encoding_invalid("a signed part may not be binary")
            return self.lines(body)
        return self._multipart(kind, body, depth)

    def _multipart(self, kind: Kind, body: bytes, depth: int) -> bytes:
        if not kind.boundary:
            raise invalid("content", "MIME_BOUNDARY_MISSING", "a multipart names no boundary")
        default = b"message/rfc822" if kind.type == b"multipart/digest" else b"text/plain"
        pieces: list[bytes] = []
        at, in_part = 0, False
        for start, end, closes in _delimiters(body, kind.boundary):
            # Two delimiters in a row share a line end.
            start = max(start, at)
            region = body[at:start]
            pieces.append(self._whole(region, depth, default) if in_part else self.lines(region))
            pieces.append(self.lines(body[start:end]))
            at, in_part = end, not closes
            if closes:
                break
        region = body[at:]
        pieces.append(self._whole(region, depth, default) if in_part else self.lines(region))
        return b"".join(pieces)

    def _whole(self, entity: bytes, depth: int, default_type: bytes, *, is_message: bool = False) -> bytes:
        """What is inside a composite part at `depth`."""
        header, empty_line, body = split(entity)
        header, body = self.entity(
            header, body, depth=depth + 1, is_message=is_message, default_type=default_type
        )
        return header + self.lines(empty_line) + body

    def _leaf(self, kind: Kind, body: bytes) -> tuple[bytes, bytes]:
        """Body and encoding of a part that holds no others."""
        if kind.is_opaque:
            return (body, kind.encoding) if is_clean(body) else (self._base64(body), b"base64")
        if is_clean(to_crlf(body)):
            return self.lines(body), kind.encoding
        if kind.encoding in NOT_ENCODED and not kind.is_text:
            return self._base64(body), b"base64"
        if kind.encoding == b"base64":
            return self._base64(_decoded_base64(body)), b"base64"
        lines = self.lines(body)
        if b"\0" in lines:
            raise invalid("content", "CONTENT_HAS_NUL", "a text part holds a NUL")
        if kind.encoding == b"quoted-printable":
            lines = a2b_qp(lines)
        elif kind.encoding not in NOT_ENCODED:
            raise _encoding_invalid("a part in an unknown encoding holds 8-bit or long lines")
        return self._quoted_printable(lines), b"quoted-printable"

    def _base64(self, octets: bytes) -> bytes:
        self._encoded += 1
        self._changes.add(ContentChange.CONTENT_CHANGE_BASE64)
        return encodebytes(octets).replace(b"\n", b"\r\n")

    def _quoted_printable(self, octets: bytes) -> bytes:
        """Line by line, so that a CR or LF which ends no line is encoded and comes back as it was."""
        self._encoded += 1
        self._changes.add(ContentChange.CONTENT_CHANGE_QUOTED_PRINTABLE)
        encoded = b"\n".join([b2a_qp(line, istext=False) for line in octets.split(b"\r\n")])
        return encoded.replace(b"\n", b"\r\n")


def _has_long_line(content: bytes) -> bool:
    at, last = 0, len(content) - MAX_LINE_OCTETS
    while at < last:
        at = content.rfind(b"\n", at, at + MAX_LINE_OCTETS + 2) + 1
        if at == 0:
            return True
    return False


def _delimiters(body: bytes, boundary: bytes) -> Iterator[tuple[int, int, bool]]:
    """Each boundary line with the line ends around it: start, end, whether it closes the parts."""
    dashed = b"--" + boundary
    at = body.find(dashed)
    while at >= 0:
        after = at + len(dashed)
        if (at == 0 or body[at - 1] in b"\r\n") and (rest := _AFTER_BOUNDARY.match(body, after)):
            start = at - len(_line_end_before(body, at))
            line_end = _LINE_END.match(body, rest.end())
            yield start, line_end.end() if line_end else rest.end(), rest[1] is not None
        at = body.find(dashed, after)


def _line_end_before(body: bytes, at: int) -> bytes:
    return b"\r\n" if body[max(at - 2, 0) : at] == b"\r\n" else body[max(at - 1, 0) : at]


def _decoded_base64(body: bytes) -> bytes:
    try:
        return a2b_base64(b"".join(body.split()), strict_mode=True)
    except Base64Error:
        raise _encoding_invalid("a part in base64 holds other octets") from None


def _encoding_invalid(message: str) -> Problem:
    return invalid("content", "MIME_ENCODING_INVALID", message)
