"""On a Cluster of real nodes the store client is as on one server: nothing twice, nothing dropped."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis.asyncio import Redis
from redis.crc import key_slot
from redis.exceptions import AskError, ConnectionError, RedisError

from chaos.proxy import Fault, Proxy
from services.chassis import store as stores
from services.chassis.clock import StoreClock
from services.chassis.headroom import Headroom, Marks
from services.chassis.settings import Acks
from services.chassis.store import ReplicasMissing, Script, answers
from tests.support import valkey
from tests.support.eventually import eventually

count = Script("tests.integration.chassis", "count")
PREFIXES = [f"{{p{number}}}:" for number in range(30)]


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[valkey.RunningCluster]:
    """A Cluster for tests that break it."""
    async with valkey.cluster(tmp_path) as running:
        yield running


async def test_a_script_runs_where_its_keys_are_and_is_given_to_who_lost_it(any_store: Redis) -> None:
    calls = [(prefix, [0]) for prefix in PREFIXES]

    assert await count.each(any_store, calls) == [1] * 30
    await any_store.script_flush()
    assert await count.each(any_store, calls) == [2] * 30
    assert await count(any_store, PREFIXES[:1], [0]) == 3


async def test_a_call_whose_answer_is_lost_is_not_repeated(store: Redis, store_url: str) -> None:
    async with (
        Proxy(f"unix:{urlsplit(store_url).path}") as proxy,
        stores.connect(f"redis://{proxy.address}", 30.0) as client,
    ):
        assert await count(client, ["{x}:"], [0]) == 1
        await proxy.impose(Fault.DROP_REPLIES)
        calling = asyncio.create_task(count(client, ["{x}:"], [0]))

        async def carried_out() -> bool:
            return await store.get("{x}:count") == b"2"

        await eventually(carried_out, "the call to arrive")
        # The connection is cut; a new one would do.
        await proxy.heal()
        with pytest.raises(RedisError):
            await calling
        assert await client.ping()
    assert await store.get("{x}:count") == b"2"


async def test_an_error_of_a_script_is_raised(any_store: Redis) -> None:
    await any_store.set("{x}:count", "no number")

    with pytest.raises(RedisError, match="not an integer"):
        await count(any_store, ["{x}:"], [0])


async def test_clock_headroom_and_readiness_work_on_a_cluster(any_store: Redis) -> None:
    clock = await StoreClock.of(any_store)
    headroom = Headroom(any_store, Marks(memory_accept=99.9, disk_accept=0, disk_deliver=0))
    await headroom.look()

    assert clock.trusted
    assert headroom.accepts
    assert await answers(any_store)


async def test_the_worst_node_counts_for_the_headroom(cluster: valkey.RunningCluster) -> None:
    await cluster.primaries[1].client.config_set("maxmemory", "1mb")
    async with stores.connect(cluster.url, 5.0) as store:
        headroom = Headroom(store, Marks(memory_accept=70, disk_accept=10, disk_deliver=5))
        await headroom.look()
        assert (headroom.accepts, headroom.delivers) == (False, True)
        await cluster.primaries[1].client.config_set("maxmemory", "100mb")
        await headroom.look()
        assert headroom.accepts


async def test_a_cluster_that_is_away_is_a_redis_error() -> None:
    with pytest.raises(ConnectionError):
        async with stores.connect("redis+cluster://127.0.0.1:1,127.0.0.1:2", 0.5):
            pass


async def test_what_healthy_nodes_gave_is_not_dropped_for_one_that_is_away(
    cluster: valkey.RunningCluster,
) -> None:
    calls = [(prefix, [0]) for prefix in PREFIXES]
    stopped = cluster.primaries[0]
    async with stores.connect(cluster.url, 0.5) as store:
        assert await count.each(store, calls) == [1] * 30
        stopped.process.send_signal(signal.SIGSTOP)
        try:
            given = await count.each(store, calls, give_errors=True)
            with pytest.raises(RedisError):
                await count.each(store, calls)
        finally:
            stopped.process.send_signal(signal.SIGCONT)
    for prefix, answer in zip(PREFIXES, given, strict=True):
        away = cluster.owner(prefix) is stopped
        assert isinstance(answer, RedisError) if away else answer == 2


async def test_a_key_that_has_moved_is_found(cluster: valkey.RunningCluster) -> None:
    async with stores.connect(cluster.url, 5.0) as store:
        await count(store, ["{other}:"], [0])
        slot, owner = key_slot(b"moved"), cluster.owner("moved")
        target = next(node for node in cluster.primaries if node is not owner)
        name = await target.client.execute_command("CLUSTER", "MYID")
        for node in (target, *cluster.primaries):
            await node.client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", name)

        assert await count(store, ["{moved}:"], [0]) == 1
        assert await count(store, ["{moved}:"], [0], Acks(0)) == 2
        assert await target.client.get("{moved}:count") == b"2"


async def test_while_a_slot_moves_key_by_key_no_script_runs_on_half_of_its_keys(
    cluster: valkey.RunningCluster,
) -> None:
    async with stores.connect(cluster.url, 5.0) as store:
        await count(store, ["{moved}:"], [0])
        slot, owner = key_slot(b"moved"), cluster.owner("moved")
        target = next(node for node in cluster.primaries if node is not owner)
        names = [await node.client.execute_command("CLUSTER", "MYID") for node in (owner, target)]
        await target.client.execute_command("CLUSTER", "SETSLOT", slot, "IMPORTING", names[0])
        await owner.client.execute_command("CLUSTER", "SETSLOT", slot, "MIGRATING", names[1])
        with pytest.raises(AskError):
            await count(store, ["{moved}:"], [0])
        await owner.client.execute_command(
            "MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", "{moved}:count"
        )
        for node in (target, owner):
            await node.client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", names[1])

        assert await count(store, ["{moved}:"], [0]) == 2


async def test_what_replicas_have_is_there_after_a_failover(tmp_path: Path) -> None:
    async with (
        valkey.cluster(tmp_path, replicas=True) as running,
        stores.connect(running.url, 2.0) as store,
    ):
        acks = Acks(1, 1.0)
        assert await count.each(store, [(prefix, [0]) for prefix in PREFIXES], acks) == [1] * 30
        dying = running.owner(PREFIXES[0])
        os.kill(dying.process.pid, signal.SIGKILL)

        async def again() -> bool:
            try:
                # The replica has become the primary; it has no replica of its own.
                return bool(await count(store, PREFIXES[:1], [0]) >= 2)
            except RedisError:
                return False

        await eventually(again, "the replica to take over")
        with pytest.raises(ReplicasMissing):
            await count(store, PREFIXES[:1], [0], Acks(1, 0.1))
        for prefix in PREFIXES[1:]:
            assert await count(store, [prefix], [0]) == 2
