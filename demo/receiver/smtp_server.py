"""The mail servers: one listener for each address of the zone, all on one port."""

from __future__ import annotations

import asyncio
import errno
import ssl

from demo.receiver.behaviours import Memory
from demo.receiver.journal import Journal
from demo.receiver.lines import Lines
from demo.receiver.session import Session
from demo.receiver.zone import Zone

# The port that the first address gets may be taken at another one.
_PORT_TRIES = 50
# Many senders connect at once in load tests; the default of 100 makes them wait for a repeated SYN.
_BACKLOG = 1024


class SmtpServers:
    """Listens where `zone` has hosts. A host's traits count for the connections made after a change."""

    def __init__(self, zone: Zone, journal: Journal, memory: Memory, tls: ssl.SSLContext) -> None:
        self.port = 0
        self._zone = zone
        self._journal = journal
        self._memory = memory
        self._tls = tls
        self._listeners: dict[str, asyncio.Server] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, port: int = 0) -> None:
        """Listen on `port`, 0: any. Raises OSError when it is taken."""
        for tries_left in reversed(range(_PORT_TRIES if port == 0 else 1)):
            self.port = port
            try:
                await self.follow_zone()
                return
            except OSError as error:
                await self._stop_listening()
                if error.errno != errno.EADDRINUSE or not tries_left:
                    raise

    async def follow_zone(self) -> None:
        """Open and close listeners so that they are those of the zone."""
        wanted = [host.address for host in self._zone.hosts.values() if host.traits.listens]
        for address in self._listeners.keys() - set(wanted):
            self._listeners.pop(address).close()
        for address in wanted:
            if address not in self._listeners:
                server = await asyncio.start_server(self._serve, address, self.port, backlog=_BACKLOG)
                self._listeners[address] = server
                self.port = server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Stop listening and cut all connections."""
        await self._stop_listening()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _stop_listening(self) -> None:
        for server in self._listeners.values():
            server.close()
        self._listeners.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        address = writer.get_extra_info("sockname")[0]
        client = writer.get_extra_info("peername")[0]
        host = self._zone.hosts[address]
        lines = Lines(reader, writer)
        try:
            await Session(host, lines, client, self._journal, self._memory, self._tls).run()
        except asyncio.CancelledError:
            pass  # `close` is waiting for us
        finally:
            self._tasks.discard(task)
            writer.close()
