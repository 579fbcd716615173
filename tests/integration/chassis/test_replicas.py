"""What a script wrote is on replicas when it returns, or the caller is told that it may not be."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from redis.asyncio import Redis
from redis.exceptions import ReadOnlyError, RedisError

from emta.problems import Problem
from services.chassis import store as stores
from services.chassis.settings import Acks
from services.chassis.store import ReplicasMissing, Script, replicated, store_problems
from tests.support import valkey
from tests.support.eventually import eventually

count = Script("tests.integration.chassis", "count")
ONE = Acks(1, 0.2)


@pytest.fixture
async def primary(tmp_path: Path) -> AsyncIterator[valkey.Server]:
    async with valkey.server(tmp_path / "primary") as running:
        yield running


@pytest.fixture
async def replica(primary: valkey.Server, tmp_path: Path) -> AsyncIterator[valkey.Server]:
    async with valkey.replica_of(primary, tmp_path / "replica") as running:
        yield running


@pytest.fixture
async def store(primary: valkey.Server) -> AsyncIterator[Redis]:
    async with stores.connect(primary.url, 2.0) as client:
        yield client


async def test_a_script_returns_when_the_replica_has_it(store: Redis, replica: valkey.Server) -> None:
    for number in range(100):
        assert await count(store, ["x:"], [0], ONE) == number + 1
        assert await replica.client.get("x:count") == b"%d" % (number + 1)


async def test_without_the_replica_the_write_has_happened_and_the_caller_is_told(
    store: Redis, primary: valkey.Server, replica: valkey.Server
) -> None:
    replica.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(ReplicasMissing):
            await count.each(store, [("x:", [0]), ("y:", [0])], ONE)
        with pytest.raises(Problem) as caught, store_problems():
            await replicated(store, ["x:"], ONE)
    finally:
        replica.process.send_signal(signal.SIGCONT)

    problem = caught.value
    assert (problem.code, problem.reason) == (grpc.StatusCode.UNAVAILABLE, "REPLICAS_MISSING")
    assert problem.retry_after
    assert await primary.client.get("x:count") == await primary.client.get("y:count") == b"1"
    await replicated(store, ["x:"], Acks(1, 1.0))
    assert await replica.client.get("y:count") == b"1"


async def test_what_was_written_before_is_waited_for_where_nothing_is_written_now(
    store: Redis, replica: valkey.Server
) -> None:
    await store.set("x:count", "no number")
    replica.process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(ReplicasMissing):
            # It writes nothing, and fails.
            await count(store, ["x:"], [0], ONE)
    finally:
        replica.process.send_signal(signal.SIGCONT)


async def test_replicas_are_waited_for_when_the_store_is_full_too(
    store: Redis, primary: valkey.Server, replica: valkey.Server
) -> None:
    await primary.client.config_set("maxmemory", "1")

    # What frees memory must be able to run: settling, expiry.
    assert await count(store, ["x:"], [0], Acks(1, 1.0)) == 1
    assert await replica.client.get("x:count") == b"1"


async def test_a_primary_that_became_a_replica_is_left(primary: valkey.Server, tmp_path: Path) -> None:
    async with (
        valkey.server(tmp_path / "other") as other,
        stores.connect(primary.url, 2.0) as store,
    ):
        await count(store, ["x:"], [0])
        before = await store.client_id()
        await primary.client.execute_command("REPLICAOF", "127.0.0.1", other.port)

        async def in_step() -> bool:
            return bool((await primary.client.info("replication"))["master_link_status"] == "up")

        await eventually(in_step, "the roles to change")
        with pytest.raises(ReadOnlyError):
            await count(store, ["x:"], [0])

        # Behind the same name there may be another server by now: it is connected to anew.
        assert await store.client_id() != before


async def test_without_replicas_nothing_is_waited_for(store: Redis, primary: valkey.Server) -> None:
    await replicated(store, ["x:"], Acks(0))
    assert await count(store, ["x:"], [0], Acks(0)) == 1

    assert await primary.client.keys("*replicated") == []
    with pytest.raises(RedisError):
        await replicated(store, ["x:"], ONE)
