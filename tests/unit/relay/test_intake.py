"""Who is let in when more comes than can be accepted."""

import asyncio
import heapq
from contextlib import ExitStack, suppress

import pytest

from services.relay.intake import Intake, work


class Seconds:
    """A clock that stands still."""

    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def intake(seconds: Seconds) -> Intake:
    """One that has learned that a message takes a millisecond."""
    intake = Intake(seconds)
    for _ in range(200):
        with intake.holding(100):
            seconds.now += 0.1
    return intake


def test_what_would_wait_too_long_is_put_off(intake: Intake) -> None:
    with intake.holding(40):
        assert intake.put_off(40) is None
        assert intake.put_off(50)


def test_a_batch_that_is_alone_is_let_in_however_long_it_takes(intake: Intake) -> None:
    assert intake.put_off(1_000) is None


def test_of_the_largest_messages_one_is_let_in_at_a_time() -> None:
    largest, usual = work(1, 25 * 1024 * 1024), work(1, 10_000)
    intake = Intake()
    with intake.holding(largest):
        assert intake.put_off(usual) is None
        assert intake.put_off(largest)


def test_a_batch_that_fails_gives_its_room_back_and_teaches_nothing(
    intake: Intake, seconds: Seconds
) -> None:
    with suppress(RuntimeError), intake.holding(1_000):
        seconds.now += 60
        raise RuntimeError
    with intake.holding(40):
        assert intake.put_off(10) is None


def test_a_slow_store_leaves_less_room(intake: Intake, seconds: Seconds) -> None:
    for _ in range(20):
        with intake.holding(10):
            seconds.now += 1.0
    with intake.holding(10):
        assert intake.put_off(10)


def test_batches_that_end_together_have_taken_what_the_first_has(intake: Intake, seconds: Seconds) -> None:
    # A hundred messages took two seconds, so did the nine hundred beside them.
    for _ in range(20):
        with ExitStack() as inside:
            for _ in range(10):
                inside.enter_context(intake.holding(100))
            seconds.now += 2.0
    with intake.holding(20):
        assert intake.put_off(15) is None
        assert intake.put_off(25)


def test_batches_are_told_different_times_as_far_apart_as_they_take(intake: Intake) -> None:
    with intake.holding(200):
        told = [intake.put_off(100) for _ in range(3)]
    assert told == pytest.approx([0.31, 0.42, 0.53], rel=0.01)


def test_nobody_is_told_to_come_in_a_minute(intake: Intake) -> None:
    with intake.holding(100):
        told = [intake.put_off(100) or 0 for _ in range(600)]
    assert max(told) <= 30.0


def test_an_overload_leaves_the_relay_no_idle_time(intake: Intake, seconds: Seconds) -> None:
    # Two seconds of ten times what it can take: a batch of 100 every 10 ms, each takes 0.1 s.
    began = seconds.now
    coming = [began + number * 0.01 for number in range(200)]
    with ExitStack() as inside:
        free_at, refusals = began, 0
        while coming:
            arrival = heapq.heappop(coming)
            if free_at <= arrival:
                seconds.now = free_at
                inside.close()
            seconds.now = arrival
            if (delay := intake.put_off(100)) is None:
                inside.enter_context(intake.holding(100))
                free_at = arrival + 0.1
            else:
                refusals += 1
                heapq.heappush(coming, arrival + delay)
    assert free_at - began < 1.25 * 200 * 0.1
    assert refusals < 2 * 200


def test_an_appointment_is_forgotten_when_its_time_is_over(intake: Intake, seconds: Seconds) -> None:
    with intake.holding(100):
        first = intake.put_off(100)
        seconds.now += 10
        assert intake.put_off(100) == pytest.approx(first, rel=0.01)


def test_more_than_half_a_second_takes_is_a_flood(intake: Intake, seconds: Seconds) -> None:
    with intake.holding(45):
        assert intake.put_off(30) is None
        assert intake.put_off(300)
        assert not intake.in_a_flood()
        assert intake.put_off(300)
        assert intake.in_a_flood()
        # Less is let in beside the others.
        assert intake.put_off(30)
    seconds.now += 0.3
    assert not intake.in_a_flood()


async def test_batches_are_checked_one_after_another(intake: Intake) -> None:
    at_work = most = 0

    async def check() -> None:
        nonlocal at_work, most
        async with intake.turn():
            at_work += 1
            most = max(most, at_work)
            await asyncio.sleep(0)
            at_work -= 1

    await asyncio.gather(check(), check(), check())
    assert (at_work, most) == (0, 1)


async def test_what_has_come_is_counted_before_work_goes_on(intake: Intake) -> None:
    """As gRPC does, a batch comes every few turns of the loop."""
    counted = 0

    async def come() -> None:
        nonlocal counted
        for _ in range(2):
            for _ in range(3):
                await asyncio.sleep(0)
            intake.put_off(100)
            counted += 1

    coming = asyncio.create_task(come())
    async with intake.turn():
        assert counted == 2
    await coming


async def test_a_flood_does_not_stop_work_for_good(intake: Intake) -> None:
    async def flood() -> None:
        while True:
            intake.put_off(100)
            await asyncio.sleep(0)

    flooding = asyncio.create_task(flood())
    async with intake.turn():
        flooding.cancel()
