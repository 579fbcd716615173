"""Validity: 84 hours at most, from each message's own acceptance (contract 4.1)."""

from __future__ import annotations

from emta.feedback.v1.log_pb2 import LogStatus
from tests.e2e.conftest import World, message

HOUR = 3600
CAP_SECONDS = 302_400


async def test_five_days_are_cut_to_84_hours_and_the_answer_says_so(world: World) -> None:
    given = message("ok@alpha.example")
    given.validity.FromSeconds(5 * 86_400)

    (result,) = await world.submit(given)

    acceptance = result.acceptance
    assert acceptance.clamped
    assert acceptance.deadline_time.seconds - acceptance.accept_time.seconds == CAP_SECONDS


async def test_two_messages_accepted_apart_expire_apart(world: World) -> None:
    first = message("always-soft+1@alpha.example", "m1")
    second = message("always-soft+2@alpha.example", "m2")
    for given in (first, second):
        given.validity.FromSeconds(24 * HOUR)
    await world.submit(first)
    await world.until_retries(1, "m1")
    world.clock.advance(2 * HOUR)
    await world.submit(second)
    await world.until_retries(1, "m2")

    world.clock.advance(22 * HOUR)
    await world.until(LogStatus.LOG_STATUS_FAILED, "m1")
    assert (await world.entry("m2")).status == LogStatus.LOG_STATUS_TAKEN_INTO_ACCOUNT

    world.clock.advance(2 * HOUR)
    await world.until(LogStatus.LOG_STATUS_FAILED, "m2")
    entries = [await world.entry(name) for name in ("m1", "m2")]
    assert entries[1].final_time.seconds - entries[0].final_time.seconds == 2 * HOUR
