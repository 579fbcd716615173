"""A disk that runs full: accepting ends, the store waits, and all goes on by itself when there is room."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.chassis import store as stores
from services.chassis.embedded_store import EmbeddedStore
from services.chassis.headroom import Headroom, Marks
from tests.integration.chassis.processes import Process, children, started
from tests.support.disk import fill, small_disk
from tests.support.eventually import eventually

MIB = 1024**2
MARKS = Marks(memory_accept=100, disk_accept=10, disk_deliver=5)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 64 * MIB) as mounted:
        yield mounted


@pytest.fixture
async def embedded(disk: Path) -> AsyncIterator[EmbeddedStore]:
    async with EmbeddedStore(disk / "store") as running:
        yield running


async def test_first_accepting_ends_then_delivery_and_both_resume(
    disk: Path, embedded: EmbeddedStore
) -> None:
    seen = []
    async with stores.connect(embedded.url, 2.0) as store:
        headroom = Headroom(store, MARKS)
        for left in (20, 5, 2, 5, 20):
            fill(disk / "filler", left * MIB)
            await headroom.look()
            seen.append((headroom.accepts, headroom.delivers))

    assert seen == [(True, True), (False, True), (False, False), (False, True), (True, True)]


async def test_a_store_on_a_full_disk_waits_for_room_and_has_what_it_acknowledged(
    disk: Path, embedded: EmbeddedStore, caplog: pytest.LogCaptureFixture
) -> None:
    fill(disk / "filler", 4 * MIB)
    async with stores.connect(embedded.url, 2.0) as store:
        written = await _write_until_it_dies(store)

        async def waiting() -> bool:
            return any(record.message == "disk_full" for record in caplog.records)

        await eventually(waiting, "the store to wait for room")
        (disk / "filler").unlink()

        async def back() -> bool:
            try:
                return bool(await store.ping())
            except RedisError:
                return False

        await eventually(back, "the store to come back")
        assert written <= await store.dbsize() <= written + 1
        assert await store.get(f"key{written - 1}")


async def _write_until_it_dies(store: Redis) -> int:
    """Give how many writes were acknowledged."""
    for number in range(1_000):
        try:
            await store.set(f"key{number}", os.urandom(100_000))
        except RedisError:
            return number
    raise AssertionError("the disk has room for everything")


async def test_deaths_on_a_full_disk_are_no_reason_to_give_up(disk: Path) -> None:
    environ = {"EMTA_FEEDBACK_LISTEN": "127.0.0.1:0", "EMTA_FEEDBACK_DATA_DIR": str(disk)}
    async with started("services.feedback", **environ) as process:
        await process.event("serving")
        killed: set[int] = set()
        # Five deaths within a minute would end it, were the disk not full.
        for _ in range(5):
            server = await _server(process, killed)
            fill(disk / "filler", 1 * MIB)
            os.kill(server, signal.SIGKILL)
            await process.event("disk_full")
            (disk / "filler").unlink()
        await _server(process, killed)

        process.signal(signal.SIGTERM)
        assert await process.end() == 0
    assert sum('"event": "store_died"' in line for line in process.lines) == 5


async def _server(process: Process, known: set[int]) -> int:
    """Process id of the service's store, once there is another one."""

    async def another() -> int | None:
        return next((pid for pid in children(process.pid) if pid not in known), None)

    pid = await eventually(another, "the server to be started")
    assert pid is not None
    known.add(pid)
    return pid
