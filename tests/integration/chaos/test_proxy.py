"""The fault proxy does to connections what it says, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from chaos.proxy import Fault, Proxy
from tests.support.eventually import eventually

# Waited for where nothing may come.
_MOMENT_SECONDS = 0.05
_FOREVER_SECONDS = 3600.0


class Echo:
    """A server that answers every line with itself, and remembers what it got."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.address = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                self.lines.append(line)
                writer.write(line)
            writer.write(b"bye\n")
            writer.write_eof()
        except OSError:
            pass
        finally:
            writer.close()


@asynccontextmanager
async def echo() -> AsyncIterator[Echo]:
    server = Echo()
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.address = f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    yield server
    listener.close()


@pytest.fixture
async def server() -> AsyncIterator[Echo]:
    async with echo() as server:
        yield server


@pytest.fixture
async def proxy(server: Echo) -> AsyncIterator[Proxy]:
    async with Proxy(server.address) as proxy:
        yield proxy


class Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, line: bytes) -> bytes:
        self.writer.write(line)
        return await self.reader.readline()

    async def says_nothing(self, line: bytes) -> bool:
        try:
            await asyncio.wait_for(self.say(line), _MOMENT_SECONDS)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def connected(proxy: Proxy) -> AsyncIterator[Connection]:
    host, _, port = proxy.address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield Connection(reader, writer)
    finally:
        writer.transport.abort()


async def test_without_a_fault_all_passes_and_an_end_in_order_is_one(proxy: Proxy) -> None:
    async with connected(proxy) as connection:
        assert await connection.say(b"hello\n") == b"hello\n"
        connection.writer.write_eof()

        assert await connection.reader.read() == b"bye\n"


async def test_a_blackhole_holds_everything_until_it_is_over(proxy: Proxy, server: Echo) -> None:
    async with connected(proxy) as before:
        await before.say(b"hello\n")
        await proxy.impose(Fault.BLACKHOLE)
        assert await before.says_nothing(b"one\n")
        async with connected(proxy) as during:
            assert await during.says_nothing(b"two\n")
            assert server.lines == [b"hello\n"]

            await proxy.heal()

            assert await before.reader.readline() == b"one\n"
            assert await during.reader.readline() == b"two\n"


async def test_refuse_resets_what_is_open_and_listens_nowhere(proxy: Proxy) -> None:
    async with connected(proxy) as before:
        await before.say(b"hello\n")
        await proxy.impose(Fault.REFUSE)
        with pytest.raises(ConnectionResetError):
            await before.reader.readline()
    with pytest.raises(ConnectionRefusedError):
        async with connected(proxy):
            pass

    await proxy.heal()

    async with connected(proxy) as after:
        assert await after.say(b"again\n") == b"again\n"


async def test_reset_accepts_and_resets(proxy: Proxy) -> None:
    async with connected(proxy) as before:
        await before.say(b"hello\n")
        await proxy.impose(Fault.RESET)
        with pytest.raises(ConnectionResetError):
            await before.reader.readline()
    async with connected(proxy) as during:
        with pytest.raises(ConnectionResetError):
            await during.say(b"hello\n")


async def test_dropped_replies_leave_the_request_done_and_the_connection_dead(
    proxy: Proxy, server: Echo
) -> None:
    async with connected(proxy) as connection, connected(proxy) as unharmed:
        await connection.say(b"hello\n")
        await unharmed.say(b"hello\n")
        await proxy.impose(Fault.DROP_REPLIES)
        assert await connection.says_nothing(b"write\n")

        async def arrived() -> bool:
            return b"write\n" in server.lines

        await eventually(arrived, "the request to arrive")
        await proxy.heal()

        with pytest.raises(ConnectionResetError):
            await connection.reader.readline()
        assert await unharmed.say(b"still here\n") == b"still here\n"


@pytest.mark.parametrize("fault", ["latency", "throttle"])
async def test_latency_and_a_narrow_link_hold_back_what_comes_while_they_last(
    proxy: Proxy, fault: str
) -> None:
    async with connected(proxy) as connection:
        await connection.say(b"hello\n")
        if fault == "latency":
            proxy.latency_seconds = _FOREVER_SECONDS
        else:
            proxy.bytes_per_second = 1 / _FOREVER_SECONDS

        assert await connection.says_nothing(b"slow\n")


async def test_an_upstream_that_is_dead_resets_and_another_one_counts_from_the_next_connection(
    proxy: Proxy, server: Echo
) -> None:
    async with echo() as other, connected(proxy) as before:
        await before.say(b"hello\n")
        proxy.upstream = "127.0.0.1:1"
        async with connected(proxy) as refused:
            with pytest.raises(ConnectionResetError):
                await refused.say(b"hello\n")
        proxy.upstream = other.address
        async with connected(proxy) as after:
            await after.say(b"to the other\n")
            await before.say(b"to the first\n")

        assert other.lines == [b"to the other\n"]
        assert server.lines == [b"hello\n", b"to the first\n"]


async def test_an_upstream_may_be_a_unix_socket(tmp_path: Path) -> None:
    server = Echo()
    listener = await asyncio.start_unix_server(server.serve, tmp_path / "s")
    async with Proxy(f"unix:{tmp_path / 's'}") as proxy, connected(proxy) as connection:
        assert await connection.say(b"hello\n") == b"hello\n"
    listener.close()


async def test_the_observer_of_answers_hears_of_each_before_it_is_handed_on(proxy: Proxy) -> None:
    heard: list[str] = []
    proxy.on_request = lambda: heard.append("request")
    proxy.on_reply = lambda: heard.append("reply")
    async with connected(proxy) as connection:
        await connection.say(b"hello\n")

        assert heard == ["request", "reply"]
