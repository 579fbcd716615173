"""A running receiver, and senders of the plainest kind."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import dns.asyncresolver
import pytest

from demo.receiver import Receiver
from tests.support.clock import ManualClock

MESSAGE = b"From: a@shop.example\r\nTo: b@alpha.example\r\nSubject: Hi\r\n\r\nHello.\r\n"


class Wire:
    """A sender that says exactly what it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def send(self, octets: bytes) -> None:
        self._writer.write(octets)

    async def line(self) -> bytes:
        """The next line with its CRLF; b"" when the server has hung up."""
        return await asyncio.wait_for(self._reader.readline(), 10)

    async def reply(self) -> bytes:
        """All lines of the next reply."""
        lines = [await self.line()]
        while lines[-1][3:4] == b"-":
            lines.append(await self.line())
        return b"".join(lines)

    async def say(self, command: bytes) -> bytes:
        """Send a command and give its reply."""
        self.send(command + b"\r\n")
        return await self.reply()

    async def say_within(self, command: bytes, seconds: float) -> bytes:
        """As `say`. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            return await self.say(command)

    async def start_tls(self) -> None:
        """Shake hands, after the server has agreed to."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        await self._writer.start_tls(context)

    async def greet(self) -> bytes:
        """Read the greeting, say EHLO, and give its answer."""
        assert (await self.reply()).startswith(b"220 ")
        return await self.say(b"EHLO mta.shop.example")

    async def up_to_data(self, rcpt: str) -> bytes:
        assert (await self.say(b"MAIL FROM:<a@shop.example>")).startswith(b"250 ")
        assert (await self.say(f"RCPT TO:<{rcpt}>".encode())).startswith(b"250 ")
        return await self.say(b"DATA")

    async def message(self, rcpt: str, content: bytes = MESSAGE) -> bytes:
        """Send a message whose lines begin with no dot, and give the last reply."""
        assert (await self.up_to_data(rcpt)).startswith(b"354 ")
        return await self.say(content + b".")


Connect = Callable[[str], AbstractAsyncContextManager[Wire]]


@pytest.fixture
async def receiver(clock: ManualClock) -> AsyncIterator[Receiver]:
    async with Receiver(clock=clock) as running:
        yield running


@pytest.fixture
def resolver(receiver: Receiver) -> dns.asyncresolver.Resolver:
    return resolver_of(receiver)


def resolver_of(receiver: Receiver) -> dns.asyncresolver.Resolver:
    """A resolver that asks the receiver only."""
    host, _, port = receiver.dns_address.rpartition(":")
    asking = dns.asyncresolver.Resolver(configure=False)
    asking.nameservers = [host]
    asking.port = int(port)
    asking.lifetime = 5.0
    return asking


def address_of(receiver: Receiver, domain: str) -> str:
    """Where the first server of a domain stands."""
    return next(host.address for host in receiver.zone.hosts.values() if host.site == domain)


@pytest.fixture
def connect(receiver: Receiver) -> Connect:
    """Opens a connection to a domain's first server."""

    @asynccontextmanager
    async def connected(domain: str) -> AsyncIterator[Wire]:
        streams = await asyncio.open_connection(address_of(receiver, domain), receiver.smtp_port)
        try:
            yield Wire(*streams)
        finally:
            streams[1].close()

    return connected
