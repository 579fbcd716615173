"""Questions to name servers: MX, A and AAAA records, over UDP and, where an answer is too long, TCP.

dnspython's resolver takes 740 us of CPU a question, more than all the rest of a message's delivery; this
one about a tenth. What an answer means is in dns_answer.py.
"""

from __future__ import annotations

import asyncio
import os
import random
import struct
from collections.abc import Container, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

import dns.resolver

from services.relay.dns_answer import Answer, BadAnswer, Kind, Rcode, parse

# With one name server before asking the next one or again: what resolvers use by custom (resolv.conf).
_PATIENCE_SECONDS = 2.0
# Questions that wait for an answer at one time: half of what resolvers take from all their clients together
# (BIND's recursive-clients: 1,000; Unbound's num-queries-per-thread: 1,024), for what is more they drop.
_MAX_QUESTIONS = 500
# RFC 5452 section 9.2: who forges answers has to guess the port too. Every socket has one at random, there
# are several at a time, and none lives long.
_SOCKETS, _QUESTIONS_A_SOCKET = 8, 500
# RFC 6891: answers of up to 1,232 octets, which no network has to cut into pieces (DNS flag day 2020).
_EDNS = b"\x00\x00\x29\x04\xd0\x00\x00\x00\x00\x00\x00"
_HEADER = struct.Struct(">HHHHHH")
_RECURSION_DESIRED = 0x0100


class NoAnswer(Exception):
    """The name servers failed, or said nothing in time: nothing is known."""


@dataclass(frozen=True)
class NameServer:
    """Where to ask."""

    address: str
    port: int = 53

    @classmethod
    def of_the_system(cls) -> list[NameServer]:
        """Those of the system's resolv.conf."""
        system = dns.resolver.Resolver()
        return [cls(str(server), system.port) for server in system.nameservers]

    @classmethod
    def parse(cls, text: str) -> NameServer:
        """Read "address:port", an IPv6 address in brackets or not. Raises ValueError."""
        host, _, port = text.rpartition(":")
        if not (port.isascii() and port.isdecimal() and 1 <= int(port) <= 65_535):
            raise ValueError(f"{text} is not of the form address:port")
        return cls(str(ip_address(host.strip("[]"))), int(port))


class Resolver:
    """Asks some name servers, one after another until one answers."""

    def __init__(self, servers: Sequence[NameServer], *, timeout_seconds: float) -> None:
        """`timeout_seconds` is a question's from its turn on, all servers and repetitions together."""
        self._servers = servers
        self._timeout_seconds = timeout_seconds
        # A dead name server leaves time for the next one.
        self._patience_seconds = min(_PATIENCE_SECONDS, timeout_seconds / len(servers))
        self._questions = asyncio.Semaphore(_MAX_QUESTIONS)
        self._sockets: dict[NameServer, list[_Socket]] = {server: [] for server in servers}
        self._opening = asyncio.Lock()
        self._without_edns: set[NameServer] = set()

    async def ask(self, name: bytes, kind: Kind) -> Answer:
        """Give the records of a name (wire format, RFC 1035 section 3.1). Raises NoAnswer."""
        async with self._questions:
            return await self._ask_all(name + struct.pack(">HH", kind, 1))

    async def _ask_all(self, question: bytes) -> Answer:
        deadline = asyncio.get_running_loop().time() + self._timeout_seconds
        why = "no answer in time"
        while True:
            for server in self._servers:
                left = deadline - asyncio.get_running_loop().time()
                if left <= 0:
                    raise NoAnswer(why)
                try:
                    answer = await self._ask(server, question, min(left, self._patience_seconds))
                except (OSError, BadAnswer, TimeoutError):
                    continue
                if answer.rcode in (Rcode.NOERROR, Rcode.NXDOMAIN):
                    return answer
                why = "the name servers failed"
            if why != "no answer in time":
                # All that answered have said that they cannot; to ask again at once changes nothing.
                raise NoAnswer(why)
            # Refused at once, by servers that are being restarted: no need to ask without a pause.
            await asyncio.sleep(min(0.05, self._patience_seconds))

    async def _ask(self, server: NameServer, question: bytes, seconds: float) -> Answer:
        async with asyncio.timeout(seconds):
            edns = server not in self._without_edns
            answer = await self._over_udp(server, question, edns=edns)
            if edns and answer.rcode in (Rcode.FORMERR, Rcode.NOTIMP):
                # RFC 6891 section 7: a server of before 1999.
                answer = await self._over_udp(server, question, edns=False)
                if answer.rcode in (Rcode.NOERROR, Rcode.NXDOMAIN):
                    self._without_edns.add(server)
            if answer.truncated:
                answer = await _over_tcp(server, question)
            return answer

    async def _over_udp(self, server: NameServer, question: bytes, *, edns: bool) -> Answer:
        return await (await self._socket(server)).ask(question, _EDNS if edns else b"")

    async def _socket(self, server: NameServer) -> _Socket:
        async with self._opening:
            sockets = self._sockets[server]
            sockets[:] = [socket for socket in sockets if socket.is_usable]
            if len(sockets) >= _SOCKETS:
                return random.choice(sockets)
            _, socket = await asyncio.get_running_loop().create_datagram_endpoint(
                _Socket, remote_addr=(server.address, server.port)
            )
            sockets.append(socket)
            return socket

    def close(self) -> None:
        """Close the sockets."""
        for sockets in self._sockets.values():
            for socket in sockets:
                socket.close()


class _Socket(asyncio.DatagramProtocol):
    """A socket connected to one name server: others' packets do not come through."""

    def __init__(self) -> None:
        self._waiting: dict[int, tuple[bytes, asyncio.Future[Answer]]] = {}
        self._left = _QUESTIONS_A_SOCKET

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.DatagramTransport = transport  # type: ignore[assignment]

    @property
    def is_usable(self) -> bool:
        return self._left > 0 and not self._transport.is_closing()

    async def ask(self, question: bytes, extra: bytes) -> Answer:
        """Raises OSError."""
        self._left -= 1
        identity = _free_identity(self._waiting)
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[identity] = question, future
        try:
            self._transport.sendto(_query(identity, question, extra))
            return await future
        finally:
            del self._waiting[identity]
            if not self._waiting and self._left <= 0:
                self.close()

    def datagram_received(self, data: bytes, addr: object) -> None:
        question, future = self._waiting.get(int.from_bytes(data[:2]), (b"", None))
        if future is None or future.done():
            return
        try:
            future.set_result(parse(data, question))
        except BadAnswer:
            # Damaged, or forged: the right one may be on its way.
            return

    def error_received(self, error: Exception) -> None:
        self._fail(error)

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(error or ConnectionError("closed"))

    def _fail(self, error: Exception) -> None:
        # Nobody listens there: all that wait need not.
        for _, future in self._waiting.values():
            if not future.done():
                future.set_exception(error)

    def close(self) -> None:
        self._transport.close()


async def _over_tcp(server: NameServer, question: bytes) -> Answer:
    """RFC 7766. Raises OSError, BadAnswer."""
    reader, writer = await asyncio.open_connection(server.address, server.port)
    try:
        query = _query(_free_identity(()), question, b"")
        writer.write(len(query).to_bytes(2) + query)
        length = int.from_bytes(await reader.readexactly(2))
        data = await reader.readexactly(length)
    except asyncio.IncompleteReadError:
        raise BadAnswer("cut off") from None
    finally:
        writer.close()
    if data[:2] != query[:2]:
        raise BadAnswer("another question's")
    answer = parse(data, question)
    if answer.truncated:
        # Nothing more can be asked, and that there are no records it does not say.
        raise BadAnswer("cut off")
    return answer


def _query(identity: int, question: bytes, extra: bytes) -> bytes:
    return _HEADER.pack(identity, _RECURSION_DESIRED, 1, 0, 0, bool(extra)) + question + extra


def _free_identity(taken: Container[int]) -> int:
    """A number that cannot be foreseen (RFC 5452 section 9.1)."""
    while (identity := int.from_bytes(os.urandom(2))) in taken:
        pass
    return identity
