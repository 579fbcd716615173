"""Header fields and parts of a mail, opened without trust: limited, in linear time, without recursion.

The standard library's parser takes a second for 1 MiB of empty lines and dies of 1,000 nested parts, so
that limits come too late. Here a part is a slice of the mail until somebody asks for its text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from services.bounce.inbound.charset import decoded, unfolded, unpacked

# Far above what any reporter sends: it returns the header of a message, or a message of some 100 KiB.
MAX_OCTETS = 1024 * 1024
MAX_DEPTH = 20
MAX_PARTS = 100
MAX_HEADER_OCTETS = 64 * 1024
# What a report says stands at its start; what follows is the message itself.
_TEXT_OCTETS = 64 * 1024

_MAX_BOUNDARY = 200  # RFC 2046 section 5.1.1 has 70

_FIELD = re.compile(r"([!-9;-~]{1,80})[ \t]*:[ \t]*(.*)")
_FIRST_FIELD = re.compile(rb"[!-9;-~]{1,80}[ \t]*:")
_FOLD = re.compile(r"\n[ \t]+")
_PARAMETER = re.compile(r';[ \t]*([\w-]{1,40})\*?[ \t]*=[ \t]*(?:"([^"]*)"?|([^\s;"]*))')
_DASHED = re.compile(rb"^--([!-~]{1,70})$", re.MULTILINE)


class LimitError(ValueError):
    """A mail that is larger or more deeply nested than any report is; the text says which limit."""


class Fields:
    """The fields of a header, by name in lower case."""

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
        raise LimitError(f"{len(raw):,} octets, over {MAX_OCTETS:,}")
    content = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n").lstrip(b"\n")
    if content.startswith(b"From "):
        content = content.partition(b"\n")[2]
    fields, body = _cut(content)
    return Entity(fields, tuple(_parts(fields, body)))


def media_type(fields: Fields, default: str = "text/plain") -> str:
    """Give the type of a part, in lower case without parameters."""
    kind = fields.get("content-type").partition(";")[0].strip().lower()
    return kind if "/" in kind else default


def _parts(fields: Fields, body: bytes) -> Iterator[Part]:
    """Walk through all parts in their order."""
    waiting = [(fields, body, media_type(fields), 1)]
    count = header_octets = 0
    while waiting:
        fields, body, kind, depth = waiting.pop()
        boundary = _boundary(fields, body) if kind.startswith("multipart/") else b""
        if not boundary:
            yield Part(fields, body, "text/plain" if kind.startswith("multipart/") else kind)
            continue
        if depth > MAX_DEPTH:
            raise LimitError(f"parts nested over {MAX_DEPTH} deep")
        default = "message/rfc822" if kind == "multipart/digest" else "text/plain"
        children = []
        for piece in _pieces(body, boundary):
            count += 1
            if count > MAX_PARTS:
                raise LimitError(f"more than {MAX_PARTS} parts")
            inner, content = _cut(piece)
            header_octets += len(piece) - len(content)
            if header_octets > MAX_HEADER_OCTETS:
                raise LimitError(f"headers of parts over {MAX_HEADER_OCTETS:,} octets")
            children.append((inner, content, media_type(inner, default), depth + 1))
        if not children:
            yield Part(fields, body, "text/plain")
        waiting.extend(reversed(children))


def _boundary(fields: Fields, body: bytes) -> bytes:
    """Give a multipart's boundary; where its header lost it, the first line that looks like one."""
    named = fields.parameter("content-type", "boundary").encode(errors="replace")
    if 0 < len(named) <= _MAX_BOUNDARY:
        return named
    found = _DASHED.search(body)
    return found[1] if found else b""


def _pieces(body: bytes, boundary: bytes) -> Iterator[bytes]:
    """Cut a multipart's body at its boundary lines (RFC 2046 section 5.1.1). The end may be missing."""
    delimiter = re.compile(rb"\n--%b(--)?[ \t]*(?=\n|\Z)" % re.escape(boundary))
    body = b"\n" + body
    start = -1
    for found in delimiter.finditer(body):
        if start >= 0:
            yield body[start : found.start()]
        if found[1]:
            return
        start = found.end() + 1
    if start >= 0:
        yield body[start:]


def _cut(entity: bytes) -> tuple[Fields, bytes]:
    """Cut at the first empty line: the header, and the body. What begins with no field has no header."""
    if entity.startswith(b"\n"):
        return Fields(""), entity[1:]
    if not _FIRST_FIELD.match(entity):
        return Fields(""), entity
    header, _, body = entity.partition(b"\n\n")
    if len(header) > MAX_HEADER_OCTETS:
        raise LimitError(f"a header of {len(header):,} octets, over {MAX_HEADER_OCTETS:,}")
    return Fields(decoded(header, "utf-8")), body
