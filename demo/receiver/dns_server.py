"""The name server: DNS over UDP and TCP on loopback (RFC 1035, RFC 7766)."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rdatatype

from demo.receiver.zone import Zone

_HOST = "127.0.0.1"
# Longest UDP answer, octets: what passes everywhere unfragmented (DNS Flag Day 2020).
_UDP_OCTETS = 1232
# ... and for a query without EDNS (RFC 1035 section 2.3.4).
_PLAIN_UDP_OCTETS = 512
# UDP and TCP want the same port, and somebody may have one of the two.
_PORT_TRIES = 50


class DnsServer:
    """Answers for `zone`. `queries` counts (name, type) as asked, such as ("a.example", "MX")."""

    def __init__(self, zone: Zone) -> None:
        self.queries: Counter[tuple[str, str]] = Counter()
        self._zone = zone
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def address(self) -> str:
        """ "127.0.0.1:5353"."""
        assert self._udp is not None
        host, port = self._udp.get_extra_info("sockname")
        return f"{host}:{port}"

    async def start(self, port: int = 0) -> None:
        """Listen. Raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        for tries_left in reversed(range(_PORT_TRIES if port == 0 else 1)):
            self._udp, _ = await loop.create_datagram_endpoint(lambda: _Udp(self), local_addr=(_HOST, port))
            try:
                same_port = self._udp.get_extra_info("sockname")[1]
                self._tcp = await asyncio.start_server(self._serve_tcp, _HOST, same_port)
                return
            except OSError:
                self._udp.close()
                if not tries_left:
                    raise

    async def close(self) -> None:
        if self._udp is not None:
            self._udp.close()
        if self._tcp is not None:
            self._tcp.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            await self._tcp.wait_closed()

    def respond(self, wire: bytes, *, over_udp: bool) -> bytes | None:
        """The answer to a query, both without the length that TCP puts before; None: silence."""
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        for question in query.question:
            name = question.name.to_text(omit_final_dot=True).lower()
            self.queries[name, dns.rdatatype.to_text(question.rdtype)] += 1
        response = self._zone.answer(query)
        if response is None:
            return None
        if not over_udp:
            return response.to_wire(max_size=65535)
        octets = min(query.payload, _UDP_OCTETS) if query.edns >= 0 else _PLAIN_UDP_OCTETS
        try:
            return response.to_wire(max_size=octets)
        except dns.exception.TooBig:
            cut = dns.message.make_response(query)
            cut.flags |= dns.flags.AA | dns.flags.TC
            return cut.to_wire(max_size=octets)

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while True:
                length = int.from_bytes(await reader.readexactly(2), "big")
                answer = self.respond(await reader.readexactly(length), over_udp=False)
                if answer is not None:
                    writer.write(len(answer).to_bytes(2, "big") + answer)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the resolver, or we, have left
        finally:
            self._tasks.discard(task)
            writer.close()


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = self._server.respond(data, over_udp=True)
        if answer is not None and self._transport is not None:
            self._transport.sendto(answer, addr)
