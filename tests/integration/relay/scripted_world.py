"""A domain of scripted servers behind real DNS, and connectors to it."""

from __future__ import annotations

import asyncio
import functools
import ssl
from contextlib import AsyncExitStack
from dataclasses import dataclass

import pytest

from demo.receiver.certificate import server_context
from demo.receiver.dns_server import DnsServer
from demo.receiver.zone import Zone
from emta.bounce.v1.smtp_reply_pb2 import SmtpReply
from services.relay.connection import Timeouts
from services.relay.connector import Connector
from services.relay.mx import MxResolver
from services.relay.networks import Networks
from services.relay.replies import AttemptFailed
from services.relay.session import Session
from services.relay.transaction import Transaction
from tests.integration.relay.scripted_server import (
    EHLO,
    EHLO_BOTH,
    EHLO_PIPELINING,
    EHLO_STARTTLS,
    Reply,
    ScriptedServer,
)
from tests.support.clock import ManualClock

DOMAIN = "a.example"
ADDRESS = "127.0.1.1"
CONTENT = b"Subject: hi\r\n\r\n.dots\r\n..\r\n.\r\nlast\r\n"
MESSAGE = Transaction("from@emta.example", f"to@{DOMAIN}", b"", CONTENT, False, False)
PATIENT = Timeouts(connect=5, greeting=5, command=5, data=5, dot=5)
HASTY = Timeouts(connect=0.3, greeting=0.3, command=0.3, data=0.3, dot=0.3)
IMPATIENT = Timeouts(connect=5, greeting=5, command=5, data=1, dot=1, octets_per_second=1e9)
# Far beyond what the buffers of two loopback sockets hold.
HUGE = Transaction(
    "from@emta.example", f"to@{DOMAIN}", b"", b"x\r\n" + b"y" * 25_000_000 + b"\r\n", False, False
)


@dataclass(frozen=True)
class Manner:
    """How a server wants to be spoken to."""

    tls: bool
    pipelining: bool

    @property
    def ehlo(self) -> bytes:
        if self.tls:
            return EHLO_BOTH if self.pipelining else EHLO_STARTTLS
        return EHLO_PIPELINING if self.pipelining else EHLO

    def __str__(self) -> str:
        return f"{'TLS' if self.tls else 'clear'}, {'pipelined' if self.pipelining else 'one by one'}"


MANNERS = [Manner(tls, pipelining) for tls in (False, True) for pipelining in (False, True)]


@functools.cache
def tls_of_a_server() -> ssl.SSLContext:
    """A context that all servers may share: making a key takes its time."""
    return server_context([DOMAIN])


def message(number: int = 0, content: bytes = CONTENT) -> Transaction:
    """A message like MESSAGE to a recipient of its own."""
    return Transaction("from@emta.example", f"to{number}@{DOMAIN}", b"", content, False, False)


_LIMIT = 2**25  # octets of content that a server reads in one go


class World:
    """Scripted servers behind MX records, and connectors to them."""

    def __init__(self, zone: Zone, dns: DnsServer, clock: ManualClock, stack: AsyncExitStack) -> None:
        self.zone, self.dns, self.clock, self.stack = zone, dns, clock, stack
        self.port = 0

    async def listen(self, server: ScriptedServer, address: str = ADDRESS) -> ScriptedServer:
        limit = _LIMIT if server.reads_content else 2**12
        listener = await asyncio.start_server(server.serve, address, self.port, limit=limit)
        self.stack.callback(listener.close)
        self.port = self.port or listener.sockets[0].getsockname()[1]
        return server

    async def script(self, **replies: Reply | list[Reply]) -> ScriptedServer:
        """The only server of the domain."""
        server = ScriptedServer(replies)
        await self.site(server)
        return server

    async def speak(self, manner: Manner, **replies: Reply | list[Reply]) -> ScriptedServer:
        """The only server of the domain, one that wants to be spoken to in this manner."""
        server = ScriptedServer({"EHLO": manner.ehlo, **replies}, tls=tls_of_a_server())
        await self.site(server)
        return server

    async def site(self, *servers: ScriptedServer) -> None:
        """One MX host for each server, best first."""
        for number, server in enumerate(servers, 1):
            address = f"127.0.1.{number}"
            self.zone.add_site(DOMAIN, [(number * 10, f"mx{number}.{DOMAIN}", [address])])
            await self.listen(server, address)

    def connector(
        self,
        *,
        timeouts: Timeouts = PATIENT,
        starttls: bool = True,
        messages: int = 100,
        allowed: tuple[str, ...] = ("127.0.0.0/8",),
    ) -> Connector:
        return Connector(
            Networks(allowed),
            ehlo_name="relay.emta.example",
            port=self.port,
            timeouts=timeouts,
            starttls=starttls,
            messages_per_connection=messages,
        )

    async def open(self, connector: Connector | None = None, domain: str = DOMAIN) -> Session:
        resolver = MxResolver(
            [self.dns.address], self.clock, timeout_seconds=5, ehlo_name="relay.emta.example"
        )
        self.stack.callback(resolver.close)
        session = await (connector or self.connector()).open(await resolver.route(domain))
        self.stack.push_async_callback(session.close)
        return session

    async def refused_opening(self, connector: Connector | None = None) -> SmtpReply:
        with pytest.raises(AttemptFailed) as failed:
            await self.open(connector)
        return failed.value.reply
