"""Header fields and parts of a mail, opened without trust: limited, in linear time, without recursion.

The standard library's parser takes a second for 1 MiB of empty lines and dies of 1,000 nested parts, so
that limits come too late. Here a part is a slice of the mail until somebody asks for its text.
"""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from services.bounce.inbound.charset import decoded, unfolded, unpacked

# Far above what any reporter sends: it returns the header of a message, or a message of some 100 KiB.
MAX_OCTETS = 1024 * 1024
MAX_DEPTH = 20
MAX_PARTS = 100
MAX_HEADER_OCTETS = 64 * 1024
# Each level is searched for its boundary: a large mail within many levels would take many times its size.
MAX_SEARCHED_OCTETS = 8 * MAX_OCTETS
# What a report says stands at its start; what follows is the message itself.
_TEXT_OCTETS = 64 * 1024

_MAX_BOUNDARY = 200  # RFC 2046 section 5.1.1 has 70

_FIELD = re.compile(r"([!-9;-~]{1,80})[ \t]*:[ \t]*(.*)")
_FIRST_FIELD = re.compile(rb"[!-9;-~]{1,80}[ \t]*:")
_FOLD = re.compile(r"\n[ \t]+")
_PARAMETER = re.compile(r';[ \t]*([\w-]{1,40})\*?[ \t]*=[ \t]*(?:"([^"]*)"?|([^\s;"]*))')
_DASHED = re.compile(rb"\n--([!-~]{1,70})(?=\n)")


class LimitError(ValueError):
    """A mail that is larger or more deeply nested than any report is; the text says which limit."""


class Fields:
    """The fields of a header, by name in lower case. Without any, it is false."""

    def __init__(self, header: str) -> None:
        self._values: dict[str, list[str]] = {}
        for line in _FOLD.sub(" ", header).split("\n"):
            if found := _FIELD.match(line):
                self._values.setdefault(found[1].lower(), []).append(found[2].strip())

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def __len__(self) -> int:
        return len(self._values)

    def all(self, name: str) -> list[str]:
        """Give the values of all fields with this name, as they stand."""
        return self._values.get(name, [])

    def get(self, *names: str) -> str:
        """Give the value of the first field with the first of these names that has one; else ''."""
        return next((value for name in names for value in self.all(name) if value), "")

    def words(self, name: str) -> str:
        """Give a field's value with its encoded words decoded."""
        return unfolded(self.get(name))

    def parameter(self, name: str, key: str) -> str:
        """Give a parameter of a structured field (RFC 2045 section 5.1)."""
        found = (each for each in _PARAMETER.finditer(self.get(name)) if each[1].lower() == key)
        return next((each[2] if each[2] is not None else each[3] for each in found), "")


@dataclass(frozen=True, slots=True)
class Part:
    """A part that holds no others, or a whole message: its fields, and its body as it travels."""

    fields: Fields
    body: bytes
    type: str  # for example "text/plain"

    @property
    def text(self) -> str:
        """The first 64 KiB of the body, decoded."""
        octets = unpacked(self.body[:_TEXT_OCTETS], self.fields.get("content-transfer-encoding").lower())
        return decoded(octets, self.fields.parameter("content-type", "charset"))


@dataclass(frozen=True, slots=True)
class Entity:
    """A mail: the fields of its header, and its parts in their order."""

    fields: Fields
    parts: tuple[Part, ...]


def opened(raw: bytes) -> Entity:
    """Open a mail. Line ends may be CRLF, LF or CR. Raises LimitError."""
    if len(raw) > MAX_OCTETS:
        # Not how many: callers cut what is longer.
        raise LimitError(f"over {MAX_OCTETS:,} octets")
    content = raw.removeprefix(BOM_UTF8).replace(b"\r\n", b"\n").replace(b"\r", b"\n").lstrip(b"\n")
    if content.startswith(b"From "):
        content = content.partition(b"\n")[2]
    # So that every part begins behind a line end.
    content = b"\n" + content
    top = _cut(content, 1, len(content), "text/plain")
    return Entity(top.fields, tuple(_parts(content, top)))


class _Piece(NamedTuple):
    """A part where it stands in the mail: its fields, and where its body starts and ends."""

    fields: Fields
    type: str
    start: int
    end: int
    header_octets: int


def _parts(content: bytes, top: _Piece) -> Iterator[Part]:
    """Walk through all parts in their order."""
    waiting = [(top, 1)]
    count = header_octets = searched_octets = 0
    while waiting:
        piece, depth = waiting.pop()
        composite = piece.type.startswith("multipart/")
        boundary = _boundary(content, piece) if composite else b""
        if boundary and depth > MAX_DEPTH:
            raise LimitError(f"parts nested over {MAX_DEPTH} deep")
        searched_octets += piece.end - piece.start if boundary else 0
        if searched_octets > MAX_SEARCHED_OCTETS:
            raise LimitError(f"nested parts of over {MAX_SEARCHED_OCTETS:,} octets together")
        default = "message/rfc822" if piece.type == "multipart/digest" else "text/plain"
        children = []
        for start, end in _pieces(content, piece, boundary) if boundary else ():
            count += 1
            if count > MAX_PARTS:
                raise LimitError(f"more than {MAX_PARTS} parts")
            child = _cut(content, start, end, default)
            header_octets += child.header_octets
            if header_octets > MAX_HEADER_OCTETS:
                raise LimitError(f"headers of parts over {MAX_HEADER_OCTETS:,} octets")
            children.append((child, depth + 1))
        if not children:
            body = content[piece.start : piece.end]
            yield Part(piece.fields, body, "text/plain" if composite else piece.type)
        waiting.extend(reversed(children))


def _boundary(content: bytes, piece: _Piece) -> bytes:
    """Give a multipart's boundary; where its header lost it, the first line that looks like one."""
    named = piece.fields.parameter("content-type", "boundary").encode(errors="replace")
    if 0 < len(named) <= _MAX_BOUNDARY:
        return named
    found = _DASHED.search(content, piece.start - 1, piece.end)
    return found[1] if found else b""


def _pieces(content: bytes, piece: _Piece, boundary: bytes) -> Iterator[tuple[int, int]]:
    """Cut a multipart's body at its boundary lines (RFC 2046 section 5.1.1). The end may be missing."""
    delimiter = re.compile(rb"\n--%b(--)?[ \t]*(?=\n|\Z)" % re.escape(boundary))
    start = -1
    for found in delimiter.finditer(content, piece.start - 1, piece.end):
        if start >= 0:
            yield start, max(start, found.start())
        if found[1]:
            return
        start = found.end() + 1
    if 0 <= start <= piece.end:
        yield start, piece.end


def _cut(content: bytes, start: int, end: int, default_type: str) -> _Piece:
    """Cut at the first empty line: the header, and the body. What begins with no field has no header."""
    fields, header_end, body = Fields(""), start, start
    if content.startswith(b"\n", start, end):
        body = start + 1
    elif _FIRST_FIELD.match(content, start, end):
        header_end = content.find(b"\n\n", start, end)
        header_end, body = (header_end, header_end + 2) if header_end >= 0 else (end, end)
        if header_end - start > MAX_HEADER_OCTETS:
            raise LimitError(f"a header of {header_end - start:,} octets, over {MAX_HEADER_OCTETS:,}")
        fields = Fields(decoded(content[start:header_end], "utf-8"))
    kind = fields.get("content-type").partition(";")[0].strip().lower()
    return _Piece(fields, kind if "/" in kind else default_type, body, end, header_end - start)
