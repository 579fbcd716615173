"""The embedded store is a real Valkey that survives its own death, and store errors are Problems."""

from __future__ import annotations

import asyncio
import os
import signal
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


async def test_a_store_that_keeps_dying_ends_everything(tmp_path: Path) -> None:
    failed = asyncio.Event()
    async with EmbeddedStore(tmp_path, on_failed=failed.set) as embedded:
        for _ in range(5):
            pid = embedded.pid
            os.kill(pid, signal.SIGKILL)

            async def moved_on(pid: int = pid) -> bool:
                return failed.is_set() or embedded.pid != pid

            await eventually(moved_on, "the store to be started again")
        await asyncio.wait_for(failed.wait(), 30)


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
