"""A fault proxy: stands between two processes and makes their network what a row of the suite needs."""

from __future__ import annotations

import asyncio
import enum
import random
import socket
import struct
from collections.abc import Callable
from types import TracebackType

_CHUNK = 64 * 1024
# Below the range from which the kernel takes ports for outgoing connections: a port that `refuse` gave up
# for a while must still be free afterwards.
_PORTS = range(20_000, 32_000)
_PORT_TRIES = 50
# SO_LINGER with no time: closing sends RST instead of FIN.
_RESETTING = struct.pack("ii", 1, 0)


class Fault(enum.Enum):
    """What happens to a connection through a proxy."""

    NONE = "none"
    BLACKHOLE = "blackhole"  # connections open, nothing moves; all of it moves on once the fault is over
    REFUSE = "refuse"  # nobody listens, and what was open is reset
    RESET = "reset"  # connections are accepted and reset
    DROP_REPLIES = "drop replies"  # requests arrive, answers get lost; such connections end with the fault


class Proxy:
    """`async with Proxy(upstream) as proxy:` -- then connect to `proxy.address`.

    upstream: "host:port" or "unix:/path"; may be changed at any time and counts for new connections.
    latency_seconds: added in each direction. bytes_per_second: at most so many in each direction and
    connection (None: no limit). on_request: called after a piece of a request was handed on; on_reply:
    before a piece of an answer is.
    """

    def __init__(self, upstream: str = "", *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.upstream = upstream
        self.latency_seconds = 0.0
        self.bytes_per_second: float | None = None
        self.on_request: Callable[[], None] = lambda: None
        self.on_reply: Callable[[], None] = lambda: None
        self._host, self._port = host, port
        self._fault = Fault.NONE
        self.flowing = asyncio.Event()  # not set: a blackhole
        self.flowing.set()
        self._listener: asyncio.Server | None = None
        self._links: set[_Link] = set()

    @property
    def address(self) -> str:
        """Where it listens, host:port: the same for its whole life."""
        return f"{self._host}:{self._port}"

    @property
    def fault(self) -> Fault:
        """What happens now."""
        return self._fault

    async def __aenter__(self) -> Proxy:
        for tries_left in reversed(range(1 if self._port else _PORT_TRIES)):
            port = self._port or random.choice(_PORTS)
            try:
                self._listener = await asyncio.start_server(self._serve, self._host, port, backlog=1024)
            except OSError:
                if not tries_left:
                    raise
                continue
            self._port = port
            break
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listener is not None:
            self._listener.close()
        await self._cut(self._links)

    async def heal(self) -> None:
        """End the fault."""
        await self.impose(Fault.NONE)

    async def impose(self, fault: Fault) -> None:
        """Begin a fault, in place of the one before."""
        before, self._fault = self._fault, fault
        if fault is Fault.BLACKHOLE:
            self.flowing.clear()
        else:
            self.flowing.set()
        if fault is Fault.REFUSE and self._listener is not None:
            self._listener.close()
            self._listener = None
        elif fault is not Fault.REFUSE and self._listener is None:
            await self.__aenter__()
        if fault in (Fault.REFUSE, Fault.RESET):
            await self._cut(self._links)
        elif before is Fault.DROP_REPLIES:
            await self._cut({link for link in self._links if link.lost})

    async def _cut(self, links: set[_Link]) -> None:
        tasks = [link.task for link in links]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        link = _Link(self, task)
        self._links.add(link)
        ended_in_order = False
        try:
            if self._fault is not Fault.RESET:
                await link.run(reader, writer)
                ended_in_order = True
        except asyncio.CancelledError:
            pass  # cut, by a fault or at the end
        except OSError:
            pass  # one of the two sides has gone, and the other one is told so below
        finally:
            self._links.discard(link)
            for end in (writer, link.upstream):
                if end is not None:
                    end.close() if ended_in_order else _reset(end)

    async def pass_on(self, data: bytes, writer: asyncio.StreamWriter, *, is_reply: bool) -> bool:
        """Hand a piece on as the fault of the moment lets it; gives whether it got through."""
        if self.latency_seconds:
            await asyncio.sleep(self.latency_seconds)
        if self.bytes_per_second is not None:
            await asyncio.sleep(len(data) / self.bytes_per_second)
        await self.flowing.wait()
        if is_reply:
            if self._fault is Fault.DROP_REPLIES:
                return False
            self.on_reply()
        if data:
            writer.write(data)
            if not is_reply:
                self.on_request()
            await writer.drain()
        elif writer.can_write_eof():
            writer.write_eof()
        return True


class _Link:
    """One connection through a proxy."""

    def __init__(self, proxy: Proxy, task: asyncio.Task[None]) -> None:
        self.task = task
        self.upstream: asyncio.StreamWriter | None = None
        self.lost = False  # whether a piece of an answer was
        self._proxy = proxy

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._proxy.flowing.wait()
        kind, _, path = self._proxy.upstream.partition(":")
        if kind == "unix":
            upstream_reader, self.upstream = await asyncio.open_unix_connection(path)
        else:
            host, _, port = self._proxy.upstream.rpartition(":")
            upstream_reader, self.upstream = await asyncio.open_connection(host, int(port or 0))
        both = {
            asyncio.create_task(self._pump(reader, self.upstream, is_reply=False)),
            asyncio.create_task(self._pump(upstream_reader, writer, is_reply=True)),
        }
        try:
            done, _ = await asyncio.wait(both, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        finally:
            for task in both:
                task.cancel()
            await asyncio.gather(*both, return_exceptions=True)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_reply: bool
    ) -> None:
        while True:
            data = await reader.read(_CHUNK)
            if not await self._proxy.pass_on(data, writer, is_reply=is_reply):
                self.lost = True
            if not data:
                return


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST, as an end that is no orderly one."""
    transport = writer.transport
    if transport.is_closing():
        return
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.family != socket.AF_UNIX:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESETTING)
    transport.abort()
