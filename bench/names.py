"""Name server of the benchmark: MX and A of its domains, over UDP (RFC 1035). Knows nothing else."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import struct
from typing import cast

DOMAIN = re.compile(rb"\x05d(\d{4})\x05bench\x00")
# One of many, most of whose mail servers are a hoster's: a host has the mail of so many of them.
HOSTED = re.compile(rb"\x06h(\d{5})\x05bench\x00")
DOMAINS_A_HOST = 25
HOST = re.compile(rb"\x06mx(\d{4})\x05bench\x00")
_HEADER = struct.Struct(">HHHHHH")
_A, _MX = 1, 15
_TTL = 3600


def domain(number: int) -> str:
    """Recipient domain of that number."""
    return f"d{number:04}.bench"


def hosted_domain(number: int) -> str:
    """One of 100,000 domains with the mail of `DOMAINS_A_HOST` at one host."""
    return f"h{number:05}.bench"


def address(number: int) -> str:
    """Address of the domain's only mail server."""
    return f"127.0.{1 + number // 200}.{1 + number % 200}"


class Names(asyncio.DatagramProtocol):
    """Answers every query with what the name's number says; other names and types have no records."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # uvloop's is no subclass of asyncio's

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._transport.sendto(_answer(data), addr)


def _host_number(name: bytes) -> bytes | None:
    if found := DOMAIN.fullmatch(name):
        return found[1]
    if found := HOSTED.fullmatch(name):
        return b"%04d" % (int(found[1]) // DOMAINS_A_HOST)
    return None


def _answer(query: bytes) -> bytes:
    end = query.index(b"\x00", 12) + 5
    question = query[12:end].lower()
    name, kind = question[:-4], struct.unpack(">H", question[-4:-2])[0]
    record = b""
    if kind == _MX and (host_number := _host_number(name)):
        host = b"\x06mx%b\x05bench\x00" % host_number
        record = struct.pack(">HHHIHH", 0xC00C, _MX, 1, _TTL, len(host) + 2, 10) + host
    elif kind == _A and (found := HOST.fullmatch(name)):
        packed = ipaddress.IPv4Address(address(int(found[1]))).packed
        record = struct.pack(">HHHIH", 0xC00C, _A, 1, _TTL, 4) + packed
    identity = struct.unpack(">H", query[:2])[0]
    return _HEADER.pack(identity, 0x8580, 1, bool(record), 0, 0) + query[12:end] + record
