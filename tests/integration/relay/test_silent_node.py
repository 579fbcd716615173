"""A node of a Cluster that says nothing stops its own shards, and no others.

The store's time-out is far longer than anything here takes: who waits for the silent node waits in vain.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis.exceptions import RedisError

from emta.problems import Problem
from services.chassis import store as stores
from services.chassis.settings import Acks
from services.relay.attempt import Attempt
from services.relay.settler import Settler
from services.relay.shards import Shards
from services.relay.store.keys import RELAYS, prefix
from services.relay.store.owners import Owners
from services.relay.store.queue import Settlement
from services.relay.store.record import Claimed
from tests.integration.relay.relay_store import HUNGRY, LEASE_MS, RelayStore, submitted
from tests.support import valkey
from tests.support.clock import START_MS, ManualClock
from tests.support.eventually import eventually
from tests.unit.relay.attempts import an_attempt

SHARDS = range(8)
MESSAGES = 80


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[valkey.RunningCluster]:
    async with valkey.cluster(tmp_path) as running:
        for node in running.primaries:
            # Without replicas; else the others would be stopped by the Cluster itself.
            await node.client.config_set("cluster-require-full-coverage", "no")
        yield running


@contextmanager
def silent(node: valkey.Server) -> Iterator[None]:
    node.process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        node.process.send_signal(signal.SIGCONT)


async def claimed_from(relay: RelayStore) -> list[Claimed]:
    await relay.accept(*(submitted(f"m{number}") for number in range(MESSAGES)))
    return (await relay.queue.claim(SHARDS, START_MS, START_MS + LEASE_MS, HUNGRY)).messages


def parted(
    claimed: Sequence[Claimed], cluster: valkey.RunningCluster, node: valkey.Server
) -> tuple[list[Claimed], list[Claimed]]:
    """Give those of a node, and the others."""
    its = [message for message in claimed if cluster.owner(prefix(message.shard)) is node]
    others = [message for message in claimed if message not in its]
    assert its
    assert others
    return its, others


async def test_what_ends_in_other_shards_is_written_down_at_once(cluster: valkey.RunningCluster) -> None:
    told: list[Claimed] = []
    async with stores.connect(cluster.url, 60.0) as store:
        relay = RelayStore(store, shards=8)
        claimed = await claimed_from(relay)
        node = cluster.owner(prefix(claimed[0].shard))
        its, others = parted(claimed, cluster, node)
        settler = Settler(relay.queue, lambda attempt, due_ms: told.append(attempt.claimed))

        async def until_told(expected: Sequence[Claimed]) -> None:
            async def all_are() -> bool:
                return len(told) >= len(expected)

            await eventually(all_are, "the settlements")

        with silent(node):
            for message in its:
                settler.settle(_attempt(message), Settlement(message, None, []))
            await asyncio.sleep(0)  # its call is under way
            for message in others:
                settler.settle(_attempt(message), Settlement(message, None, []))
            await until_told(others)
            assert set(map(id, told)) == set(map(id, others))
        await until_told(claimed)


async def test_leases_of_other_shards_are_renewed(cluster: valkey.RunningCluster) -> None:
    async with stores.connect(cluster.url, 0.5) as store:
        relay = RelayStore(store, shards=8)
        claimed = await claimed_from(relay)
        node = cluster.owner(prefix(claimed[0].shard))
        its, others = parted(claimed, cluster, node)

        with silent(node):
            assert await relay.queue.renew(claimed, START_MS + 2 * LEASE_MS) == []

    assert {message.leased_until_ms for message in others} == {START_MS + 2 * LEASE_MS}
    assert {message.leased_until_ms for message in its} == {START_MS + LEASE_MS}


async def test_claims_from_other_shards_wait_for_it_once(cluster: valkey.RunningCluster) -> None:
    async with stores.connect(cluster.url, 0.5) as store:
        relay = RelayStore(store, shards=8)
        await relay.accept(*(submitted(f"m{number}") for number in range(MESSAGES)))
        node = cluster.owner(prefix(0))

        with silent(node):
            first = await relay.queue.claim(SHARDS, START_MS, START_MS + LEASE_MS, HUNGRY)
            # Were it asked, its time-out would count as its answer once more.
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(relay.queue._silence, "note", _nobody_is_away)
                second = await relay.queue.claim(SHARDS, START_MS, START_MS + LEASE_MS, HUNGRY)

    claimed = [*first.messages, *second.messages]
    assert claimed
    assert all(cluster.owner(prefix(message.shard)) is not node for message in claimed)


async def test_outcomes_of_other_shards_are_given_and_their_owner_is_known(
    cluster: valkey.RunningCluster, clock: ManualClock
) -> None:
    async with stores.connect(cluster.url, 0.5) as store:
        relay = RelayStore(store, shards=8)
        await relay.accept(*(submitted(f"m{number}") for number in range(MESSAGES)))
        dead, heir = (Shards(Owners(store, 8), clock, name, 30.0) for name in ("dead", "heir"))
        await dead.share()
        clock.advance(31)
        announced = cluster.owner(RELAYS)
        node = next(node for node in cluster.primaries if node is not announced)
        others = {shard for shard in SHARDS if cluster.owner(prefix(shard)) is not node}

        with silent(node):
            await heir.share()
            outcomes = await relay.outbox.oldest(sorted(SHARDS), 100)

        assert heir.mine == others
        assert outcomes.keys() == others
        assert all(outcomes.values())
        await heir.share()
    assert heir.mine == set(SHARDS)


async def test_messages_of_other_shards_are_accepted(cluster: valkey.RunningCluster) -> None:
    given = [submitted(f"m{number}") for number in range(MESSAGES)]
    async with stores.connect(cluster.url, 0.5) as store:
        relay = RelayStore(store, shards=8)
        await relay.accept(*given[:1])

        with silent(cluster.owner(prefix(0))):
            first = await relay.accept(*given)
            refused = [
                item for item, answer in zip(given, first, strict=True) if isinstance(answer, Problem)
            ]
            second = await relay.accept(*refused)

        assert 0 < len(refused) < len(given)
        for answer in second:
            assert isinstance(answer, Problem)
            assert (answer.reason, answer.is_transient) == ("STORE_UNAVAILABLE", True)


async def test_a_missing_replica_stops_the_shards_of_its_primary(tmp_path: Path) -> None:
    async with (
        valkey.cluster(tmp_path, replicas=True) as running,
        stores.connect(running.url, 5.0) as store,
    ):
        relay = RelayStore(store, shards=8, acks=Acks(1, 0.2))
        assert await relay.queue.replicated(SHARDS) == list(SHARDS)
        with silent(running.replicas[0]):
            recordable = await relay.queue.replicated(SHARDS)

    others = [shard for shard in SHARDS if running.owner(prefix(shard)) is not running.primaries[0]]
    assert recordable == others


def _nobody_is_away(shards: Sequence[int], answers: Sequence[object]) -> None:
    assert not any(isinstance(answer, RedisError) for answer in answers)


def _attempt(claimed: Claimed) -> Attempt:
    attempt = an_attempt()
    attempt.claimed = claimed
    return attempt
