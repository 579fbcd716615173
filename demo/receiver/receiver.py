"""The receiver: name server, mail servers and journal, started and stopped together."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path
from types import TracebackType

from demo.receiver.behaviours import Memory
from demo.receiver.certificate import server_context
from demo.receiver.dns_server import DnsServer
from demo.receiver.journal import Journal
from demo.receiver.sites import example_zone
from demo.receiver.smtp_server import SmtpServers
from demo.receiver.zone import Zone
from services.chassis.clock import Clock, SystemClock


class Receiver:
    """Async context manager. The receiver listens on loopback only, while it is entered.

    zone: what is there; None: the example zone. clock: for greylisting and the journal's times.
    journal_file: gets a JSON line for each message and refusal. keep_content: False forgets contents.
    dns_port, smtp_port: 0 takes any free one.
    """

    def __init__(
        self,
        zone: Zone | None = None,
        clock: Clock | None = None,
        journal_file: Path | None = None,
        *,
        keep_content: bool = True,
        dns_port: int = 0,
        smtp_port: int = 0,
    ) -> None:
        clock = clock or SystemClock()
        self.zone = zone or example_zone()
        self.journal = Journal(clock, journal_file, keep_content=keep_content)
        self.dns = DnsServer(self.zone)
        self._ports = dns_port, smtp_port
        names = sorted({host.name for host in self.zone.hosts.values()})
        self._servers = SmtpServers(self.zone, self.journal, Memory(clock), server_context(names))

    @property
    def dns_address(self) -> str:
        """The name server, such as "127.0.0.1:5353"."""
        return self.dns.address

    @property
    def smtp_port(self) -> int:
        """The port of all mail servers."""
        return self._servers.port

    async def follow_zone(self) -> None:
        """Listen where the zone has hosts now; call it after adding sites or changing `listens`."""
        await self._servers.follow_zone()

    async def __aenter__(self) -> Receiver:
        if not await _has_many_addresses():
            self.zone.use_only("127.0.0.1")
        dns_port, smtp_port = self._ports
        await self.dns.start(dns_port)
        try:
            await self._servers.start(smtp_port)
        except BaseException:
            await self.dns.close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._servers.close()
        await self.dns.close()
        self.journal.close()


async def _has_many_addresses() -> bool:
    # All of 127.0.0.0/8 is this machine on Linux and Windows; macOS has 127.0.0.1 only.
    try:
        server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.2", 0)
    except OSError as error:
        if error.errno != errno.EADDRNOTAVAIL:
            raise
        return False
    server.close()
    return True
