"""The outbox, on a real store: nothing is told twice for long, nothing is lost, and it has an end."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis, RedisCluster

from emta.problems import Problem
from services.relay.store.outbox import Reported
from services.relay.store.owners import Owners
from services.relay.store.queue import Settlement
from tests.integration.relay.relay_store import HUNGRY, RelayStore, submitted, told
from tests.support.clock import START_MS


async def test_a_full_outbox_refuses_messages_and_settles_all_the_same(any_store: Redis) -> None:
    relay = RelayStore(any_store, outbox_max=2)
    await relay.accept(submitted("m1"), submitted("m2"))

    (full,) = await relay.accept(submitted("m3"))
    one, other = await relay.claim()
    assert await relay.queue.settle([Settlement(one, None, [told("m1/2")])]) == [True]
    assert await relay.queue.settle([Settlement(other, None, [told("m2/2")])]) == [True]

    assert isinstance(full, Problem)
    assert (full.reason, full.retry_after) == ("OUTBOX_FULL", 5.0)
    entries = (await relay.outbox.oldest([0], 10))[0]
    await relay.outbox.acknowledge({0: Reported([name for name, _ in entries], 4)})
    assert await relay.accept(submitted("m3")) == [b""]


async def test_a_full_outbox_refuses_the_messages_of_its_shard_only(any_store: Redis) -> None:
    relay = RelayStore(any_store, shards=2, outbox_max=1)
    given = [submitted(f"m{number}") for number in range(8)]
    await relay.accept(given[0])

    answers = await relay.accept(*given[1:])

    refused = [answer for answer in answers if isinstance(answer, Problem)]
    assert {problem.reason for problem in refused} == {"OUTBOX_FULL"}
    look = await relay.queue.claim([0, 1], START_MS, START_MS + 1, HUNGRY)
    assert 1 < len(look.messages) == len(given) - len(refused) < len(given)


async def test_a_full_store_refuses_every_message_by_itself_and_takes_it_later(any_store: Redis) -> None:
    relay = RelayStore(any_store, shards=2)
    await relay.accept(submitted("m1"))
    await _set_everywhere(any_store, "1")
    try:
        _, *new = await relay.accept(*(submitted(f"m{number}") for number in range(1, 8)))
    finally:
        await _set_everywhere(any_store, "0")

    assert all(isinstance(answer, Problem) and answer.reason == "STORE_FULL" for answer in new), new
    answers = await relay.accept(*(submitted(f"m{number}") for number in range(1, 8)))
    assert [bool(answer) for answer in answers] == [True] + [False] * 6


async def test_in_a_full_store_what_was_reported_goes_and_relays_stay_known(
    any_store: Redis, relay: RelayStore
) -> None:
    await relay.accept(submitted())
    ((name, _),) = (await relay.outbox.oldest([0], 10))[0]
    await _set_everywhere(any_store, "1")
    try:
        await relay.outbox.acknowledge(
            {0: Reported([name], 1, again=[told("m1/1")], refused=[told("m1/2")])}
        )
        assert await Owners(any_store, 1).announce("a", START_MS, START_MS + 1) == 1
    finally:
        await _set_everywhere(any_store, "0")

    assert await relay.outcomes() == ["m1/1"]


async def _set_everywhere(any_store: Redis, maxmemory: str) -> None:
    node: dict[str, Any] = (
        {"target_nodes": RedisCluster.PRIMARIES} if isinstance(any_store, RedisCluster) else {}
    )
    await any_store.config_set("maxmemory", maxmemory, **node)


async def test_an_acknowledgement_that_is_repeated_counts_once(any_store: Redis, relay: RelayStore) -> None:
    await relay.accept(submitted("m1"), submitted("m2"))
    ((name, _),) = (await relay.outbox.oldest([0], 10))[0]
    for _ in range(2):
        await relay.outbox.acknowledge({0: Reported([name], 2, again=[told("m2/1")])})

    assert await relay.outcomes() == ["m2/1"]
    assert await any_store.get("relay:{s00}:outbox_size") == b"1"


async def test_acknowledgements_of_two_owners_that_overlap_leave_no_wrong_count(
    any_store: Redis, relay: RelayStore
) -> None:
    for name in ("m1", "m2"):
        await relay.accept(submitted(name))
    (first, _), (second, _) = (await relay.outbox.oldest([0], 10))[0]

    await relay.outbox.acknowledge({0: Reported([first], 1)})
    await relay.outbox.acknowledge({0: Reported([first, second], 2)})

    assert int(await any_store.get("relay:{s00}:outbox_size") or 0) == 0


async def test_outcomes_that_wait_go_behind_the_others(relay: RelayStore, any_store: Redis) -> None:
    await relay.accept(submitted("m1"))
    await relay.accept(submitted("m2"))
    (first, _), _ = (await relay.outbox.oldest([0], 10))[0]

    await relay.outbox.acknowledge({0: Reported([first], 1, again=[told("m1/1")])})

    assert await relay.outcomes() == ["m2/1", "m1/1"]
    assert await any_store.get("relay:{s00}:outbox_size") == b"2"
