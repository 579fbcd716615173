"""A name server's answer, read (RFC 1035 section 4). Names stay in wire format, uncompressed, lower case.

Pure. Reads only what routes need; dnspython is the oracle of its tests.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address

_HEADER = struct.Struct(">HHHHHH")
_RECORD = struct.Struct(">HHIH")
_CNAME, _SOA = 5, 6
_RESPONSE, _TRUNCATED, _OPCODE, _RCODE = 0x8000, 0x0200, 0x7800, 0x000F
_POINTER = 0xC0
_LONGEST_NAME, _LONGEST_LABEL = 255, 63
# Nobody has more who wants mail; reading thousands would stop everything else for a tenth of a second.
_MAX_RECORDS = 500
# As many aliases of aliases as other resolvers follow.
_MAX_ALIASES = 16
# RFC 2181 section 8: a TTL with the first bit set is 0.
_TTL_SIGN = 1 << 31
# Of a name that does not exist, when nothing says for how long.
_NO_TTL = 0

ROOT = b"\0"


class Kind(IntEnum):
    """Types of records."""

    A = 1
    MX = 15
    AAAA = 28


class Rcode(IntEnum):
    """How a name server answers (RFC 1035 section 4.1.1); others exist."""

    NOERROR = 0
    FORMERR = 1
    NXDOMAIN = 3
    NOTIMP = 4


class BadAnswer(Exception):
    """Octets that are no answer to the question."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered.

    `records`: of MX (preference, name), of A and AAAA addresses as text. `ttl`: seconds for which all of
    it, aliases included, may be believed; without records, for which their absence may (RFC 2308
    section 5).
    """

    rcode: int
    truncated: bool
    records: tuple[tuple[int, bytes], ...] | tuple[str, ...]
    ttl: int


def parse(data: bytes, question: bytes) -> Answer:
    """Read the answer to a question (name, type and class in wire format). Raises BadAnswer."""
    try:
        return _parse(data, question)
    except (struct.error, IndexError):
        raise BadAnswer("too short") from None


def _parse(data: bytes, question: bytes) -> Answer:
    _, flags, questions, answers, authorities, _ = _HEADER.unpack_from(data)
    if not flags & _RESPONSE or flags & _OPCODE:
        raise BadAnswer("no answer")
    at = _HEADER.size
    if questions != 1 or data[at : at + len(question)].lower() != question.lower():
        # RFC 1035 lets a server that cannot read a question leave it out.
        if questions or flags & _RCODE in (Rcode.NOERROR, Rcode.NXDOMAIN):
            raise BadAnswer("another question's")
        return Answer(flags & _RCODE, False, (), _NO_TTL)
    at += len(question)
    if flags & _TRUNCATED:
        return Answer(flags & _RCODE, True, (), _NO_TTL)
    found: dict[tuple[bytes, int], list[tuple[int, int, int]]] = {}
    absent_for = None
    for number in range(min(answers + authorities, _MAX_RECORDS)):
        owner, at = _name(data, at)
        kind, _, ttl, length = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        if at + length > len(data):
            raise BadAnswer("too short")
        ttl = 0 if ttl & _TTL_SIGN else ttl
        if number < answers:
            found.setdefault((owner, kind), []).append((at, length, ttl))
        elif kind == _SOA:
            (minimum,) = struct.unpack_from(">I", data, at + length - 4)
            absent_for = min(ttl, minimum)
        at += length
    return _follow(data, flags & _RCODE, question, found, absent_for)


def _follow(
    data: bytes,
    rcode: int,
    question: bytes,
    found: dict[tuple[bytes, int], list[tuple[int, int, int]]],
    absent_for: int | None,
) -> Answer:
    """From the name that was asked for over its aliases to the records."""
    owner, kind = question[:-4].lower(), int.from_bytes(question[-4:-2])
    ttls = []
    for _ in range(_MAX_ALIASES):
        if records := found.get((owner, kind)):
            ttls += [ttl for _, _, ttl in records]
            return Answer(rcode, False, _records(data, kind, records), min(ttls))
        if not (aliases := found.get((owner, _CNAME))):
            break
        at, _, ttl = aliases[0]
        ttls.append(ttl)
        owner, _ = _name(data, at)
    else:
        raise BadAnswer("too many aliases")
    if absent_for is not None:
        ttls.append(absent_for)
    return Answer(rcode, False, (), min(ttls, default=_NO_TTL))


def _records(
    data: bytes, kind: int, records: list[tuple[int, int, int]]
) -> tuple[tuple[int, bytes], ...] | tuple[str, ...]:
    if kind == Kind.MX:
        return tuple((int.from_bytes(data[at : at + 2]), _name(data, at + 2)[0]) for at, _, _ in records)
    family, octets = (IPv4Address, 4) if kind == Kind.A else (IPv6Address, 16)
    if any(length != octets for _, length, _ in records):
        raise BadAnswer("an address of the wrong length")
    return tuple(str(family(data[at : at + octets])) for at, _, _ in records)


def _name(data: bytes, at: int) -> tuple[bytes, int]:
    """Read a name; gives it and where it ends. Raises BadAnswer, IndexError."""
    labels, octets, end, before = [], 1, 0, at
    while length := data[at]:
        if length >= _POINTER:
            target = (length & ~_POINTER) << 8 | data[at + 1]
            end = end or at + 2
            # Only backwards: no circles.
            if target >= before:
                raise BadAnswer("a pointer forward")
            at = before = target
            continue
        octets += length + 1
        if length > _LONGEST_LABEL or octets > _LONGEST_NAME or at + length >= len(data):
            raise BadAnswer("a name too long")
        labels.append(data[at : at + length + 1])
        at += length + 1
    return b"".join(labels).lower() + ROOT, end or at + 1


def to_wire(name: str) -> bytes:
    """Write a name of ASCII labels in wire format, lower case. Raises ValueError."""
    labels = name.lower().rstrip(".").encode("ascii").split(b".")
    if not all(0 < len(label) <= _LONGEST_LABEL for label in labels):
        raise ValueError("a label is empty or longer than 63 octets")
    wire = b"".join(bytes((len(label),)) + label for label in labels) + ROOT
    if len(wire) > _LONGEST_NAME:
        raise ValueError("longer than 255 octets")
    return wire


def to_text(name: bytes) -> str:
    """Show a name of wire format without its final dot; what is no plain ASCII as \\DDD (RFC 1035)."""
    labels, at = [], 0
    while length := name[at]:
        label = name[at + 1 : at + 1 + length]
        labels.append("".join(_shown(octet) for octet in label))
        at += length + 1
    return ".".join(labels)


def _shown(octet: int) -> str:
    character = chr(octet)
    return character if "!" <= character <= "~" and character not in '."\\;()@$' else f"\\{octet:03d}"
