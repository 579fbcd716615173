"""The seed's five steps, E1 to E5, with the Success percentage after each."""

from __future__ import annotations

from emta.bounce.v1.qualification_pb2 import BounceCode, FailureReason, FailureType
from emta.feedback.v1.log_pb2 import LogStatus
from emta.feedback.v1.outcome_pb2 import FailureCause
from tests.e2e.conftest import World, message

TAKEN = LogStatus.LOG_STATUS_TAKEN_INTO_ACCOUNT
SENT = LogStatus.LOG_STATUS_SENT
FAILED = LogStatus.LOG_STATUS_FAILED
HOUR = 3600


async def test_e1_relayed_to_us_is_taken_into_account_at_zero_success(world: World) -> None:
    later = message("ok@alpha.example")
    later.not_before_time.FromMilliseconds(world.clock.now_ms() + HOUR * 1000)

    await world.submit(later)
    await world.until(TAKEN)

    figures = await world.client.kpis("d1")
    assert (figures.in_flight, figures.sent) == (1, 0)
    assert not figures.HasField("success_percent")
    assert not world.receiver.journal.accepted("ok@alpha.example")

    world.clock.advance(HOUR)
    await world.until(SENT)


async def test_e2_a_hard_bounce_fails_at_once(world: World) -> None:
    await world.submit(message("user-unknown@alpha.example"))

    entry = await world.until(FAILED)

    assert entry.failure_type == FailureType.FAILURE_TYPE_HARD
    assert entry.failure_reason == FailureReason.FAILURE_REASON_USER_UNKNOWN
    assert entry.campaign_reason == 1
    assert entry.bounce_code == BounceCode.BOUNCE_CODE_INVALID_RECIPIENT
    assert not (await world.client.kpis("d1")).HasField("success_percent")
    world.clock.advance(84 * HOUR)
    assert [event.status_after for event in await world.events()] == [TAKEN, FAILED]


async def test_e3_and_e4_a_soft_bounce_changes_the_reason_and_a_retry_succeeds(world: World) -> None:
    await world.submit(message("mailbox-full-then-ok@alpha.example"))

    entry = await world.until_retries(1)

    assert entry.status == TAKEN
    assert entry.failure_type == FailureType.FAILURE_TYPE_SOFT
    assert entry.failure_reason == FailureReason.FAILURE_REASON_MAILBOX_FULL
    assert entry.bounce_code == BounceCode.BOUNCE_CODE_MAILBOX_FULL
    assert entry.next_attempt_time.ToMilliseconds() > world.clock.now_ms()
    assert not (await world.client.kpis("d1")).HasField("success_percent")

    world.clock.advance(2 * HOUR)
    entry = await world.until(SENT)

    assert entry.retry_count == 1
    assert entry.failure_type == FailureType.FAILURE_TYPE_UNSPECIFIED
    assert (await world.client.kpis("d1")).success_percent == 100


async def test_e5_retries_that_fail_to_the_end_of_the_validity(world: World) -> None:
    limited = message("always-soft@alpha.example")
    limited.validity.FromSeconds(6 * HOUR)
    await world.submit(limited)
    attempts = 1
    entry = await world.until_retries(attempts)
    deadline_ms = entry.deadline_time.ToMilliseconds()

    while entry.status == TAKEN:
        next_ms = entry.next_attempt_time.ToMilliseconds()
        assert next_ms <= deadline_ms
        world.clock.advance((next_ms - world.clock.now_ms()) / 1000)
        if next_ms == deadline_ms:
            entry = await world.until(FAILED)
        else:
            attempts += 1
            entry = await world.until_retries(attempts)

    assert entry.failure_cause == FailureCause.FAILURE_CAUSE_EXPIRED
    assert entry.bounce_code == BounceCode.BOUNCE_CODE_TIMEOUT
    assert entry.failure_type == FailureType.FAILURE_TYPE_SOFT
    assert entry.failure_reason == FailureReason.FAILURE_REASON_UNREACHABLE
    assert attempts > 3
    assert len(world.receiver.journal.refused("always-soft@alpha.example")) == attempts
    figures = await world.client.kpis("d1")
    assert (figures.failed, figures.sent) == (1, 0)
