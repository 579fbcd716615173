"""Contract 2.2, row by row."""

from __future__ import annotations

import pytest

from emta.bounce.v1.qualification_pb2 import BounceCode, FailureReason, FailureType
from emta.feedback.v1.log_pb2 import LogEffect, LogEntry, LogStatus
from services.feedback.status import OutcomeError, Step, apply
from tests.support.outcomes import EVENTS, outcome

TAKEN = LogStatus.LOG_STATUS_TAKEN_INTO_ACCOUNT
SENT = LogStatus.LOG_STATUS_SENT
FAILED = LogStatus.LOG_STATUS_FAILED
CANCELLED = LogStatus.LOG_STATUS_CANCELLED
APPLIED = LogEffect.LOG_EFFECT_APPLIED
RECORDED = LogEffect.LOG_EFFECT_RECORDED
CONFLICT = LogEffect.LOG_EFFECT_CONFLICT


def run(*kinds: str, **last: float) -> Step:
    row: LogEntry | None = None
    for number, kind in enumerate(kinds):
        step = apply(row, outcome(kind, **(last if number == len(kinds) - 1 else {})))
        row = step.after
    return step


@pytest.mark.parametrize(
    ("kinds", "status"),
    [
        (("taken_into_account",), TAKEN),  # E1
        (("taken_into_account", "sent"), SENT),  # E0
        (("taken_into_account", "failure"), FAILED),  # E2
        (("taken_into_account", "deferral"), TAKEN),  # E3
        (("taken_into_account", "deferral", "sent"), SENT),  # E4
        (("taken_into_account", "deferral", "failure"), FAILED),  # E5
        (("taken_into_account", "sent", "async_bounce"), FAILED),  # E6
        (("taken_into_account", "failure", "correction"), TAKEN),  # E13
        (("taken_into_account", "failure", "correction", "sent"), SENT),  # E14
        (("taken_into_account", "unknown_result"), TAKEN),  # E15
        (("taken_into_account", "hold"), TAKEN),
        (("taken_into_account", "cancellation"), CANCELLED),
    ],
)
def test_legal_steps(kinds: tuple[str, ...], status: LogStatus) -> None:
    step = run(*kinds)

    assert step.after.status == status
    assert step.effect == APPLIED


@pytest.mark.parametrize("final", ["sent", "failure", "cancellation"])
@pytest.mark.parametrize(
    "late", ["taken_into_account", "deferral", "sent", "failure", "unknown_result", "cancellation", "hold"]
)
def test_what_comes_after_a_final_status_changes_nothing(final: str, late: str) -> None:
    before = run("taken_into_account", final).after

    step = run("taken_into_account", final, late)

    assert step.effect == CONFLICT
    assert step.after == before


def test_a_soft_bounce_updates_the_reason_only() -> None:
    row = run("taken_into_account", "deferral").after

    assert row.failure_type == FailureType.FAILURE_TYPE_SOFT
    assert row.failure_reason == FailureReason.FAILURE_REASON_MAILBOX_FULL
    assert row.campaign_reason == 5
    assert row.bounce_code == BounceCode.BOUNCE_CODE_MAILBOX_FULL
    assert row.retry_count == 1


def test_a_success_leaves_no_failure_behind() -> None:
    row = run("taken_into_account", "deferral", "sent", retry_count=1).after

    assert row.failure_type == FailureType.FAILURE_TYPE_UNSPECIFIED
    assert not row.HasField("campaign_reason")
    assert row.retry_count == 1


def test_an_async_bounce_after_a_week_is_recorded_only() -> None:
    assert run("taken_into_account", "sent", "async_bounce", after_s=7 * 86_400).effect == APPLIED
    late = run("taken_into_account", "sent", "async_bounce", after_s=7 * 86_400 + 1)

    assert late.effect == RECORDED
    assert late.after.status == SENT


def test_an_async_bounce_of_an_earlier_life_is_recorded_only() -> None:
    sent = run("taken_into_account", "failure", "correction", "sent")
    assert sent.after.epoch == 2

    late = apply(sent.after, outcome("async_bounce", epoch=1))
    now = apply(sent.after, outcome("async_bounce", epoch=2))

    assert (late.effect, late.after.status) == (RECORDED, SENT)
    assert (now.effect, now.after.status) == (APPLIED, FAILED)


def test_a_wish_to_leave_changes_no_status_and_is_remembered() -> None:
    step = run("taken_into_account", "sent", "subscription_request")

    assert (step.after.status, step.effect) == (SENT, RECORDED)
    assert step.after.unsubscribe_requested


def test_a_complaint_changes_no_status() -> None:
    step = run("taken_into_account", "sent", "complaint")

    assert (step.after.status, step.effect, step.after.complaints) == (SENT, RECORDED, 1)


def test_only_a_correction_opens_a_new_epoch() -> None:
    assert run("taken_into_account", "failure", "correction").after.epoch == 2
    assert run("taken_into_account", "sent", "correction").effect == CONFLICT


def opened() -> LogEntry:
    """A failed message that may be submitted again."""
    row = run("taken_into_account", "failure").after
    correction = outcome("correction")
    correction.correction.queued_again = False
    correction.correction.resubmit_until_time.FromSeconds(1)
    return apply(row, correction).after


def test_a_correction_alone_leaves_the_message_failed() -> None:
    row = opened()

    assert (row.status, row.epoch, row.requalified) == (LogStatus.LOG_STATUS_FAILED, 1, True)
    assert row.failure_reason == FailureReason.FAILURE_REASON_MAILBOX_FULL


def test_a_message_that_is_taken_again_begins_anew() -> None:
    step = apply(opened(), outcome("taken_into_account", 1, epoch=2, after_s=60))

    assert step.effect == APPLIED
    assert (step.after.status, step.after.epoch) == (LogStatus.LOG_STATUS_TAKEN_INTO_ACCOUNT, 2)
    assert not step.after.requalified
    assert not step.after.HasField("resubmit_until_time")
    assert not step.after.HasField("final_time")


@pytest.mark.parametrize("epoch", [2, 3])
def test_a_message_that_nobody_opened_is_not_taken_again(epoch: int) -> None:
    row = run("taken_into_account", "failure").after if epoch == 2 else opened()

    with pytest.raises(OutcomeError):
        apply(row, outcome("taken_into_account", 1, epoch=epoch))


def test_a_correction_of_an_earlier_epoch_comes_too_late() -> None:
    row = apply(opened(), outcome("taken_into_account", 1, epoch=2)).after
    row = apply(row, outcome("failure", 2, epoch=2)).after

    assert apply(row, outcome("correction", epoch=1)).effect == CONFLICT
    assert apply(row, outcome("correction", epoch=2)).effect == APPLIED


@pytest.mark.parametrize("kind", [kind for kind in EVENTS if kind != "taken_into_account"])
def test_nothing_happens_to_a_message_that_was_never_taken(kind: str) -> None:
    with pytest.raises(OutcomeError):
        apply(None, outcome(kind))


def test_the_row_that_is_given_stays_as_it_is() -> None:
    row = run("taken_into_account").after
    copy = LogEntry()
    copy.CopyFrom(row)

    apply(row, outcome("failure"))

    assert row == copy
