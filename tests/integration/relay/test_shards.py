"""How Relays share out the shards, on a real store."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from emta.problems import Problem
from services.relay.shards import Shards
from services.relay.store.owners import Owners
from tests.support.clock import ManualClock

LEASE = 30.0


@pytest.fixture
def relays(store: Redis, clock: ManualClock) -> dict[str, Shards]:
    return {name: Shards(Owners(store, 8), clock, name, LEASE) for name in "abc"}


async def settle_down(*relays: Shards) -> None:
    for _ in range(3):
        for relay in relays:
            await relay.share()


def owned(*relays: Shards) -> list[int]:
    return sorted(shard for relay in relays for shard in relay.mine)


async def test_one_relay_has_all(relays: dict[str, Shards]) -> None:
    await relays["a"].share()

    assert owned(relays["a"]) == list(range(8))
    assert relays["a"].others == []


async def test_a_relay_that_comes_gets_its_share(relays: dict[str, Shards]) -> None:
    one, other, third = relays.values()
    await one.share()
    await settle_down(one, other, third)

    assert owned(one, other, third) == list(range(8))
    assert max(len(relay.mine) for relay in relays.values()) == 3


async def test_a_relay_keeps_what_it_has(relays: dict[str, Shards]) -> None:
    one, other, _ = relays.values()
    await settle_down(one, other)
    before = set(one.mine)
    await settle_down(one, other)

    assert one.mine == before


async def test_the_shards_of_a_dead_relay_go_to_the_others(
    relays: dict[str, Shards], clock: ManualClock
) -> None:
    one, other, _ = relays.values()
    await settle_down(one, other)

    clock.advance(LEASE / 3)
    await one.share()
    assert len(one.mine) == 4
    clock.advance(LEASE)
    await one.share()

    assert owned(one) == list(range(8))


async def test_a_relay_that_leaves_is_followed_at_once(relays: dict[str, Shards]) -> None:
    one, other, _ = relays.values()
    await settle_down(one, other)

    await other.leave()
    await one.share()

    assert owned(one) == list(range(8))
    assert other.mine == set()


async def test_the_number_of_shards_is_fixed_when_the_store_is_first_used(any_store: Redis) -> None:
    await Owners(any_store, 8).fix_shards()
    await Owners(any_store, 8).fix_shards()

    with pytest.raises(Problem) as caught:
        await Owners(any_store, 4).fix_shards()

    assert caught.value.reason == "SHARDS_MISMATCH"
