"""Several Relays behind one port, as real processes on a real store."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from redis.asyncio import Redis

from emta.channel import connect
from tests.support.eventually import eventually


class Relay:
    """A running `python -m services.relay`: its log, line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.events: list[dict[str, Any]] = []
        self.last_words = ""

    async def read(self) -> None:
        assert self.process.stderr is not None
        async for line in self.process.stderr:
            if line.startswith(b"{"):
                self.events.append(json.loads(line))
            else:
                self.last_words = line.decode()

    def named(self, name: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event.get("event") == name]

    async def until(self, name: str, count: int = 1) -> list[dict[str, Any]]:
        async def told() -> list[dict[str, Any]]:
            return self.named(name) if len(self.named(name)) >= count else []

        return await eventually(told, f"{name} to be told")

    def workers(self) -> list[int]:
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children") as children:
            return [int(child) for child in children.read().split()]


@pytest.fixture
async def relay(store: Redis, store_url: str) -> AsyncIterator[Relay]:
    nobody = {f"EMTA_RELAY_{peer}": "127.0.0.1:1" for peer in ("SIGNER", "BOUNCE", "FEEDBACK")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.relay"),
        env=os.environ
        | nobody
        | {
            "EMTA_RELAY_REDIS_URL": store_url,
            "EMTA_RELAY_LISTEN": "127.0.0.1:0",
            "EMTA_RELAY_WORKERS": "2",
            "EMTA_RELAY_EHLO_NAME": "mta.example",
            "EMTA_RELAY_DRAIN_SECONDS": "1",
        },
        stderr=asyncio.subprocess.PIPE,
    )
    running = Relay(process)
    reading = asyncio.create_task(running.read())
    try:
        await running.until("serving")
        yield running
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await reading


async def _serves(address: str) -> bool:
    async with connect(address) as channel:
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def test_all_workers_serve_at_one_address(relay: Relay, store: Redis) -> None:
    (serving,) = relay.named("serving")

    assert await _serves(serving["address"])
    assert len(relay.workers()) == 2
    assert await store.zcard("relay:relays") == 2


async def test_a_worker_that_is_killed_is_replaced(relay: Relay) -> None:
    (serving,) = relay.named("serving")
    before = relay.workers()
    os.kill(before[0], signal.SIGKILL)
    await relay.until("worker_died")

    async def replaced() -> bool:
        now = relay.workers()
        return len(now) == 2 and before[0] not in now and before[1] in now

    await eventually(replaced, "another worker")
    assert await _serves(serving["address"])


async def test_a_worker_that_keeps_dying_ends_them_all(relay: Relay) -> None:
    seen = set(relay.workers()[1:])

    async def next_life() -> int | None:
        return next((pid for pid in relay.workers() if pid not in seen), None)

    for deaths in range(1, 6):
        pid = await eventually(next_life, "the next life of the first worker")
        assert pid is not None
        seen.add(pid)
        os.kill(pid, signal.SIGKILL)
        await relay.until("worker_died", deaths)

    assert await relay.process.wait() == 1

    async def told() -> bool:
        return "worker 0 keeps dying" in relay.last_words

    await eventually(told, "the reason")


async def test_sigterm_ends_them_all_in_order(relay: Relay, store: Redis) -> None:
    relay.process.send_signal(signal.SIGTERM)

    assert await relay.process.wait() == 0
    await relay.until("stopped", 3)
    # They let go of their shards: others need not wait.
    assert await store.zcard("relay:relays") == 0
