"""How a Relay claims, and keeps its leases."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

from redis.exceptions import TimeoutError

from services.chassis.headroom import Headroom
from services.relay.deliver import Deliverer
from services.relay.dispatcher import Dispatcher
from services.relay.shards import Shards
from services.relay.store.queue import Appetite, Claim, Queue
from services.relay.store.record import Claimed
from tests.support.clock import START_MS, ManualClock
from tests.support.eventually import eventually

LEASE_SECONDS = 30.0


def a_dispatcher(
    queue: object, clock: ManualClock, deliverer: object, in_a_flood: Callable[[], bool] = lambda: False
) -> Dispatcher:
    return Dispatcher(
        cast(Queue, queue),
        clock,
        cast(Shards, SimpleNamespace(mine={0}, others=[])),
        cast(Deliverer, deliverer),
        cast(Headroom, SimpleNamespace(delivers=True)),
        in_a_flood=in_a_flood,
        max_in_flight=2000,
        max_octets=1 << 30,
        lease_seconds=LEASE_SECONDS,
        drain_seconds=1.0,
    )


class Deep:
    """A queue that always has more: how many messages each claim asked for."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    async def was_asked(self, times: int) -> bool:
        return len(self.asked) >= times

    async def replicated(self, shards: Sequence[int]) -> Sequence[int]:
        return shards

    async def claim(
        self, shards: Sequence[int], now_ms: int, leased_until_ms: int, appetite: Appetite
    ) -> Claim:
        self.asked.append(appetite.messages)
        return Claim([], None)


def a_deliverer(unsigned: int, room: dict[str, int]) -> Any:
    """With nothing at hand but what waits for the Signer."""
    return SimpleNamespace(
        in_flight=(),
        octets_in_flight=0,
        unsigned=unsigned,
        records=lambda shard: True,
        has_suspect=False,
        lanes=SimpleNamespace(room=lambda: room),
        stop=lambda: None,
    )


async def test_claims_are_what_two_calls_to_the_signer_carry_and_in_a_flood_one(
    clock: ManualClock,
) -> None:
    store, flood, parts = Deep(), [True], a_deliverer(70, {})
    dispatcher = a_dispatcher(store, clock, parts, in_a_flood=lambda: flood[0])

    async with dispatcher.running():
        await eventually(lambda: store.was_asked(1), "the first claim")
        parts.unsigned = 100
        dispatcher.accepted()
        await eventually(lambda: _is(dispatcher._sated), "a look without a claim")
        parts.unsigned = 10
        dispatcher.has_room()
        await eventually(lambda: store.was_asked(2), "a claim when some are signed")

        flood[0] = False
        parts.unsigned = 100
        dispatcher.accepted()
        await eventually(lambda: store.was_asked(3), "a claim when the flood is over")

    assert store.asked == [30, 90, 100]


async def test_when_sites_that_were_full_take_messages_one_look_gathers_their_room(
    clock: ManualClock,
) -> None:
    store = Deep()
    dispatcher = a_dispatcher(store, clock, a_deliverer(0, {"full.example": 0}))

    async with dispatcher.running():
        await eventually(lambda: store.was_asked(1), "the first claim")
        for _ in range(5):
            dispatcher.has_room()
        assert not dispatcher._wake.is_set()
        await eventually(lambda: store.was_asked(2), "a claim for what has become free")

    assert len(store.asked) == 2


async def _is(value: bool) -> bool:
    return value


class Store:
    """A queue that is away for its first renewals: when they were asked for (ms after the start)."""

    def __init__(self, clock: ManualClock, *, away: int) -> None:
        self._clock = clock
        self._away = away
        self.renewals: list[int] = []

    async def renew(self, claimed: Sequence[Claimed], leased_until_ms: int) -> list[Claimed]:
        self.renewals.append(self._clock.now_ms() - START_MS)
        if len(self.renewals) <= self._away:
            raise TimeoutError("away")
        return []


async def test_a_renewal_that_failed_is_tried_again_while_the_lease_lasts(clock: ManualClock) -> None:
    """The store is back within the lease: nothing of what is under way may be lost to others."""
    store = Store(clock, away=2)
    parts: Any = SimpleNamespace(in_flight=(), lanes=SimpleNamespace(sweep=lambda: None))
    dispatcher = a_dispatcher(store, clock, parts)
    keeping = asyncio.create_task(dispatcher._keep_leases())

    async def asked(times: int) -> bool:
        await asyncio.sleep(0)
        return len(store.renewals) >= times

    await asyncio.sleep(0)
    for times, seconds in ((1, 10), (2, 1), (3, 1), (4, 10)):
        clock.advance(seconds)
        await eventually(lambda times=times: asked(times), "the next renewal")  # type: ignore[misc]
    keeping.cancel()

    assert store.renewals == [10_000, 11_000, 12_000, 22_000]
