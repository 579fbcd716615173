"""How a Relay keeps its leases."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, cast

from redis.exceptions import TimeoutError

from services.chassis.headroom import Headroom
from services.relay.deliver import Deliverer
from services.relay.dispatcher import Dispatcher
from services.relay.shards import Shards
from services.relay.store.queue import Queue
from services.relay.store.record import Claimed
from tests.support.clock import START_MS, ManualClock
from tests.support.eventually import eventually

LEASE_SECONDS = 30.0


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
    dispatcher = Dispatcher(
        cast(Queue, store),
        clock,
        cast(Shards, None),
        cast(Deliverer, parts),
        cast(Headroom, None),
        max_in_flight=1,
        max_octets=1,
        lease_seconds=LEASE_SECONDS,
        drain_seconds=1.0,
    )
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
