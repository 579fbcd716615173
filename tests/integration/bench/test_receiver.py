"""The benchmark's receiver says what a real server would, and counts each message once."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import dns.asyncresolver
import dns.resolver
import pytest

from tests.support.eventually import eventually

_ENVELOPE = b"MAIL FROM:<a@sender.bench>\r\nRCPT TO:<%b>\r\nDATA\r\n"
_CONTENT = b"Subject: x\r\n\r\nHello.\r\n.\r\n"


class Peer:
    """A receiver in its process, and what it said on its way up."""

    def __init__(self, process: asyncio.subprocess.Process, ports: dict[str, int]) -> None:
        self._process = process
        self.ports = ports

    async def stats(self, command: bytes = b"stats") -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(command + b"\n")
        stats: dict[str, Any] = json.loads(await self._process.stdout.readline())
        return stats

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.ports["smtp"])
        assert (await reader.readline()).startswith(b"220")
        return reader, writer


@asynccontextmanager
async def receiver(*options: str) -> AsyncIterator[Peer]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.receiver", *options,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=2**24,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield Peer(process, json.loads(await process.stdout.readline()))
    finally:
        process.stdin.close()
        await process.wait()


async def lines(reader: asyncio.StreamReader, count: int) -> list[bytes]:
    """The codes of the next `count` replies."""
    codes = []
    while len(codes) < count:
        line = await asyncio.wait_for(reader.readline(), 10)
        assert line, f"hung up after {codes}"
        if line[3:4] == b" ":
            codes.append(line[:3])
    return codes


async def test_a_pipelined_message_counts_once_and_a_second_copy_is_a_duplicate() -> None:
    async with receiver() as peer:
        reader, writer = await peer.connect()
        writer.write(b"EHLO me\r\n")
        assert await lines(reader, 1) == [b"250"]
        for _ in range(2):
            writer.write(_ENVELOPE % b"one@d0001.bench")
            assert await lines(reader, 3) == [b"250", b"250", b"354"]
            # The next envelope travels behind the final dot.
            writer.write(_CONTENT + _ENVELOPE % b"two@d0002.bench")
            assert await lines(reader, 4) == [b"250", b"250", b"250", b"354"]
            writer.write(_CONTENT)
            assert await lines(reader, 1) == [b"250"]
        stats = await peer.stats()
        assert (stats["accepted"], stats["duplicates"], stats["connections"]) == (2, 2, 1)
        assert (await peer.stats(b"reset"))["accepted"] == 0
        writer.close()


@pytest.mark.parametrize("delay", ["0", "0.05"])
async def test_after_starttls_nothing_is_said_in_the_clear(delay: str) -> None:
    """The client's first command comes with the end of its handshake, in one segment."""
    async with receiver("--tls", "--delay", delay) as peer:
        for number in range(20):
            await asyncio.to_thread(_hello_within_handshake, peer.ports["smtp"])
            assert (await peer.stats())["tls"] == number + 1


def _hello_within_handshake(port: int) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        sock.recv(1000)
        sock.sendall(b"EHLO me\r\n")
        assert b"STARTTLS" in sock.recv(1000)
        sock.sendall(b"STARTTLS\r\n")
        assert sock.recv(1000).startswith(b"220")
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        secured = context.wrap_bio(incoming, outgoing)
        while True:
            try:
                secured.do_handshake()
                break
            except ssl.SSLWantReadError:
                sock.sendall(outgoing.read())
                incoming.write(sock.recv(65536))
        secured.write(b"EHLO me\r\n")
        sock.sendall(outgoing.read())
        while True:
            try:
                answer = secured.read(1000)
                break
            except ssl.SSLWantReadError:
                incoming.write(sock.recv(65536))
        assert answer.startswith(b"250-bench")
        assert b"STARTTLS" not in answer


async def test_a_share_is_put_off_once_and_then_taken() -> None:
    async with receiver("--put-off", "0.5") as peer:
        reader, writer = await peer.connect()
        refused = 0
        for number in range(40):
            writer.write(b"MAIL FROM:<a@sender.bench>\r\nRCPT TO:<u%d@d0001.bench>\r\n" % number)
            first = (await lines(reader, 2))[1]
            refused += first == b"451"
            writer.write(b"RSET\r\n" + _ENVELOPE % b"u%d@d0001.bench" % number)
            assert await lines(reader, 4) == [b"250", b"250", b"250", b"354"]
            writer.write(_CONTENT)
            assert await lines(reader, 1) == [b"250"]
        stats = await peer.stats()
        assert 0 < refused < 40
        assert (stats["put_off"], stats["seen"], stats["accepted"]) == (refused, 40, 40)
        writer.close()


async def test_a_tarpit_never_answers_its_recipients_and_others_are_served() -> None:
    async with receiver("--tarpit", "d0001.bench") as peer:
        reader, writer = await peer.connect()
        writer.write(_ENVELOPE % b"stuck@d0001.bench")
        assert await lines(reader, 1) == [b"250"]
        other, its = await peer.connect()
        its.write(_ENVELOPE % b"free@d0002.bench")
        assert await lines(other, 3) == [b"250", b"250", b"354"]
        its.write(_CONTENT)
        assert await lines(other, 1) == [b"250"]
        assert (await peer.stats())["accepted"] == 1
        # Whatever the tarpit had to say would have come before the other's answers.
        assert not reader._buffer  # type: ignore[attr-defined]
        its.close()
        writer.close()


async def test_a_client_that_hangs_up_while_replies_are_delayed_harms_nobody() -> None:
    async with receiver("--delay", "0.05", "--tls") as peer:
        for words in (b"EHLO me\r\n", b"STARTTLS\r\n"):
            _, writer = await peer.connect()
            writer.write(words)
            writer.transport.abort()

        async def both() -> bool:
            return bool((await peer.stats())["connections"] == 2)

        await eventually(both)
        reader, writer = await peer.connect()
        writer.write(b"NOOP\r\n")
        assert await lines(reader, 1) == [b"250"]
        writer.close()


async def test_every_domain_has_a_mail_server_on_loopback() -> None:
    async with receiver() as peer:
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = ["127.0.0.1"], peer.ports["dns"]
        addresses = set()
        for domain in ("d0000.bench", "d1999.bench"):
            host = (await resolver.resolve(domain, "MX"))[0].exchange
            addresses.add((await resolver.resolve(host, "A"))[0].address)
        assert addresses == {"127.0.1.1", "127.0.10.200"}
        with pytest.raises(dns.resolver.NoAnswer):
            await resolver.resolve("d0000.bench", "AAAA")
