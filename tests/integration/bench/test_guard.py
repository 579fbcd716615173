"""The outage guard on simulated mail, always the same: where nothing happens, and in an outage."""

from __future__ import annotations

import random

from redis.asyncio import Redis

from bench import guard
from services.bounce.store.guard import GuardStore


async def test_usual_days_open_no_incident(store: Redis) -> None:
    found = await guard.usual_days(store, sites=10, days=2)

    assert set(found.values()) == {0}


async def test_an_outage_is_noticed_after_a_handful_of_refusals_at_every_volume(store: Redis) -> None:
    judge, draws = guard.Judge(GuardStore(store)), random.Random(1)

    lost = [
        await guard.one_outage(judge, draws, f"{an_hour}-{n}", 0.6, an_hour)
        for an_hour in (20, 200, 20_000)
        for n in range(10)
    ]

    assert max(lost) <= 7
