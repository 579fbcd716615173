"""The embedded store is a real Valkey that survives its own death, and store errors are Problems."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import grpc
import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

from emta.problems import Problem
from services.chassis import store as stores
from services.chassis.clock import StoreClock
from services.chassis.embedded_store import EmbeddedStore, StoreError
from services.chassis.store import store_problems
from tests.integration.chassis.processes import environ
from tests.support.eventually import eventually


async def test_what_was_written_is_there_after_kill_9(tmp_path: Path) -> None:
    async with EmbeddedStore(tmp_path) as embedded, stores.connect(embedded.url, 2.0) as client:
        for number in range(100):
            await client.set(f"key{number}", number)
        first = embedded.pid
        os.kill(first, signal.SIGKILL)

        async def back() -> bool:
            try:
                return bool(await client.ping()) and embedded.pid != first
            except RedisError:
                return False

        await eventually(back, "the store to come back")
        assert await client.dbsize() == 100


async def test_it_is_durable_and_never_evicts(tmp_path: Path) -> None:
    async with EmbeddedStore(tmp_path) as embedded, stores.connect(embedded.url, 2.0) as client:
        policy = await client.config_get("appendonly", "appendfsync", "maxmemory-policy", "save")

    values = {str(key): str(value) for key, value in _text(policy).items()}
    assert values == {
        "appendonly": "yes",
        "appendfsync": "always",
        "maxmemory-policy": "noeviction",
        "save": "",
    }


def _text(mapping: dict[object, object]) -> dict[str, str]:
    def text(value: object) -> str:
        return value.decode() if isinstance(value, bytes) else str(value)

    return {text(key): text(value) for key, value in mapping.items()}


async def test_one_folder_has_one_store(tmp_path: Path) -> None:
    async with EmbeddedStore(tmp_path):
        with pytest.raises(StoreError, match="in use"):
            async with EmbeddedStore(tmp_path):
                pass


async def test_a_store_that_keeps_dying_ends_the_block_with_its_reason(tmp_path: Path) -> None:
    async def kill_again_and_again(embedded: EmbeddedStore) -> None:
        while True:
            pid = embedded.pid
            os.kill(pid, signal.SIGKILL)

            async def moved_on(pid: int = pid) -> bool:
                return embedded.pid != pid

            await eventually(moved_on, "the store to be started again")

    async def run() -> None:
        async with EmbeddedStore(tmp_path) as embedded, asyncio.TaskGroup() as group:
            group.create_task(kill_again_and_again(embedded))

    with pytest.raises(StoreError, match="the store keeps dying"):
        await run()


async def test_a_folder_is_taken_as_long_as_its_server_lives(tmp_path: Path) -> None:
    owner = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _OWNER,
        str(tmp_path),
        stdout=asyncio.subprocess.PIPE,
        env=environ(),
    )
    assert owner.stdout is not None
    server = int(await owner.stdout.readline())
    try:
        # A server that has much to write takes its time to end; this one takes forever.
        os.kill(server, signal.SIGSTOP)
        owner.kill()
        await owner.wait()
        with pytest.raises(StoreError, match="in use"):
            async with EmbeddedStore(tmp_path):
                pass
    finally:
        os.kill(server, signal.SIGCONT)

    async def free() -> bool:
        try:
            async with EmbeddedStore(tmp_path):
                return True
        except StoreError:
            return False

    # The kernel told the server to end when its owner died.
    await eventually(free, "the server to end")


_OWNER = """
import asyncio, sys
from pathlib import Path
from services.chassis import process
from services.chassis.embedded_store import EmbeddedStore

async def own():
    async with EmbeddedStore(Path(sys.argv[1])) as embedded:
        print(embedded.pid, flush=True)
        await asyncio.Event().wait()

process.run(own())
"""


async def test_a_store_that_is_away_is_a_problem_with_a_delay() -> None:
    async with stores.connect("unix:///nowhere/s", 0.5) as client:
        with pytest.raises(Problem) as caught, store_problems():
            await client.ping()

    assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.UNAVAILABLE, "STORE_UNAVAILABLE")
    assert caught.value.retry_after


async def test_a_full_store_is_a_problem_of_its_own(tmp_path: Path) -> None:
    async with EmbeddedStore(tmp_path) as embedded, stores.connect(embedded.url, 2.0) as client:
        await client.config_set("maxmemory", "1")
        with pytest.raises(Problem) as caught, store_problems():
            await client.set("key", "value")

    assert (caught.value.code, caught.value.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "STORE_FULL")


async def test_the_clock_follows_the_stores_time_and_never_runs_backwards(store: Redis) -> None:
    clock = await StoreClock.of(store)
    seconds, _ = await store.time()

    readings = [clock.now_ms() for _ in range(1_000)]

    assert abs(readings[0] - seconds * 1000) < 2_000
    assert readings == sorted(readings)
