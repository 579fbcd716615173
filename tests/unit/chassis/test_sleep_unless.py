"""Waiting for something to do, but not beyond a time."""

from __future__ import annotations

import asyncio

import pytest

from services.chassis.clock import sleep_unless
from tests.support.clock import START_MS, ManualClock


async def a_turn() -> None:
    """Everything that can go on does."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def wake() -> asyncio.Event:
    return asyncio.Event()


async def test_it_ends_at_its_time_and_not_before(wake: asyncio.Event, clock: ManualClock) -> None:
    sleeping = asyncio.create_task(sleep_unless(wake, clock, START_MS + 1_000))
    clock.advance(0.999)
    await a_turn()
    assert not sleeping.done()

    clock.advance(0.001)
    await sleeping


async def test_it_ends_when_it_is_woken(wake: asyncio.Event, clock: ManualClock) -> None:
    sleeping = asyncio.create_task(sleep_unless(wake, clock, START_MS + 1_000))
    await a_turn()

    wake.set()
    await sleeping


async def test_it_leaves_nothing_behind_when_it_is_cancelled(
    wake: asyncio.Event, clock: ManualClock
) -> None:
    sleeping = asyncio.create_task(sleep_unless(wake, clock, START_MS + 1_000))
    await a_turn()

    sleeping.cancel()
    await a_turn()

    assert asyncio.all_tasks() == {asyncio.current_task()}
