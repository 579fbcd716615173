"""Who is let in when more comes than can be accepted."""

from contextlib import suppress

import pytest

from services.relay.intake import Intake


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


def test_what_would_wait_too_long_has_no_room(intake: Intake) -> None:
    with intake.holding(50):
        assert intake.has_room()
        with intake.holding(100):
            assert not intake.has_room()
    assert intake.has_room()


def test_a_batch_that_fails_gives_its_room_back_and_teaches_nothing(
    intake: Intake, seconds: Seconds
) -> None:
    with suppress(RuntimeError), intake.holding(1_000):
        seconds.now += 60
        raise RuntimeError
    with intake.holding(90):
        assert intake.has_room()


def test_a_slow_store_leaves_less_room(intake: Intake, seconds: Seconds) -> None:
    for _ in range(20):
        with intake.holding(10):
            seconds.now += 1.0
    with intake.holding(10):
        assert not intake.has_room()


def test_refused_batches_are_told_different_times_as_far_apart_as_they_take(intake: Intake) -> None:
    with intake.holding(200):
        told = [intake.appointment(100) for _ in range(3)]
    assert told == pytest.approx([0.3, 0.4, 0.5], rel=0.01)


def test_nobody_is_told_to_come_in_a_minute(intake: Intake) -> None:
    told = [intake.appointment(100) for _ in range(600)]
    assert max(told) <= 5.0


def test_an_appointment_is_forgotten_when_its_time_is_over(intake: Intake, seconds: Seconds) -> None:
    first = intake.appointment(100)
    seconds.now += 10
    assert intake.appointment(100) == pytest.approx(first, rel=0.01)
