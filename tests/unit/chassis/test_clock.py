"""Who sets a date makes no message expire: a jump of the store's time is not followed for an hour."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from services.chassis import clock
from services.chassis.clock import StoreClock

START_S = 1_767_225_600
HOUR = 3600.0
DAY = 24 * HOUR
LOOK = 5.0


class Machine:
    """The machine's clocks, moved by the test."""

    def __init__(self) -> None:
        self.up = 1_000.0

    def monotonic(self) -> float:
        return self.up

    def time(self) -> float:
        return START_S + self.up


class Store:
    """What a store says of the time, and one key."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.shift = 0.0
        self.value: bytes | None = None

    async def time(self) -> tuple[int, int]:
        return divmod(round((START_S + self.machine.up + self.shift) * 1_000_000), 1_000_000)

    async def get(self, key: str) -> bytes | None:
        return self.value

    async def set(self, key: str, value: str) -> None:
        self.value = value.encode()


class World:
    """Machine, store, and a clock that looks every five seconds."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.machine = Machine()
        self.store = Store(self.machine)
        monkeypatch.setattr(clock, "time", self.machine)
        self.errors: list[dict[str, Any]] = []
        told = SimpleNamespace(error=lambda event, **fields: self.errors.append({"event": event, **fields}))
        monkeypatch.setattr(clock, "_log", told)

    async def started(self) -> StoreClock:
        return await StoreClock.of(cast(Redis, self.store))

    async def passes(self, seconds: float, *clocks: StoreClock) -> None:
        for _ in range(round(seconds / LOOK)):
            self.machine.up += LOOK
            for each in clocks:
                await each.follow(cast(Redis, self.store))

    def ahead(self, of: StoreClock) -> float:
        """By how much a clock is ahead of the true time, seconds."""
        return of.now_ms() / 1000 - (START_S + self.machine.up)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    return World(monkeypatch)


async def test_small_steps_are_followed_at_once(world: World) -> None:
    followed = await world.started()
    world.store.shift = 299.0
    await world.passes(LOOK, followed)

    assert world.ahead(followed) == pytest.approx(299.0, abs=0.01)
    assert followed.trusted
    assert world.errors == []


@pytest.mark.parametrize("shift", [301.0, HOUR, -HOUR, 4 * DAY])
async def test_a_jump_is_told_once_and_not_followed(world: World, shift: float) -> None:
    held = await world.started()
    world.store.shift = shift
    await world.passes(HOUR, held)

    assert world.ahead(held) == pytest.approx(0, abs=0.01)
    assert not held.trusted
    assert world.errors == [{"event": "clock_jumped", "by_seconds": round(shift)}]


async def test_a_date_that_is_corrected_within_the_hour_never_was(world: World) -> None:
    held = await world.started()
    world.store.shift = 4 * DAY
    await world.passes(HOUR - 60, held)
    world.store.shift = 0.0
    await world.passes(HOUR, held)

    assert world.ahead(held) == pytest.approx(0, abs=0.01)
    assert held.trusted
    assert len(world.errors) == 1


async def test_a_later_time_that_holds_for_an_hour_is_followed(world: World) -> None:
    believing = await world.started()
    world.store.shift = 4 * DAY
    await world.passes(HOUR + 2 * LOOK, believing)

    assert world.ahead(believing) == pytest.approx(4 * DAY, abs=0.01)
    await world.passes(LOOK, believing)
    assert believing.trusted


async def test_a_second_jump_begins_another_hour(world: World) -> None:
    held = await world.started()
    world.store.shift = HOUR
    await world.passes(HOUR - 60, held)
    world.store.shift = DAY
    await world.passes(HOUR - 60, held)

    assert world.ahead(held) == pytest.approx(0, abs=0.01)
    assert len(world.errors) == 2


async def test_an_earlier_time_is_followed_without_standing_still(world: World) -> None:
    believing = await world.started()
    world.store.shift = -HOUR
    await world.passes(HOUR + LOOK, believing)
    readings = []
    for _ in range(round(2 * HOUR / LOOK)):
        readings.append(believing.now_ms())
        await world.passes(LOOK, believing)

    steps = [after - before for before, after in pairwise(readings)]
    assert min(steps) >= LOOK * 1000 / 2 - 1
    assert world.ahead(believing) == pytest.approx(-HOUR, abs=0.01)
    assert believing.trusted


@pytest.mark.parametrize("shift", [4 * DAY, -HOUR])
async def test_who_starts_during_a_jump_agrees_with_the_others(world: World, shift: float) -> None:
    first = await world.started()
    world.store.shift = shift
    await world.passes(HOUR / 2, first)

    second = await world.started()

    assert world.ahead(second) == pytest.approx(0, abs=0.01)
    assert not second.trusted
    await world.passes(HOUR / 2 + 2 * LOOK, first, second)
    # Both have seen it hold for the same hour.
    assert world.ahead(first) == pytest.approx(world.ahead(second), abs=0.01)
    assert world.ahead(first) != pytest.approx(0, abs=1)


async def test_what_was_told_before_a_date_was_corrected_misleads_nobody(world: World) -> None:
    first = await world.started()
    world.store.shift = 4 * DAY
    await world.passes(60, first)
    world.store.shift = 0.0
    await world.passes(60, first)

    second = await world.started()

    assert world.ahead(second) == pytest.approx(0, abs=0.01)
    assert second.trusted


async def test_while_the_store_is_away_a_clock_runs_on_by_itself(world: World) -> None:
    alone = await world.started()
    world.machine.up += DAY

    assert world.ahead(alone) == pytest.approx(0, abs=0.01)
