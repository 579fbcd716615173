"""The status machine of the delivery log (contract 2.2).

Every outcome of a message goes through `apply`. Statuses only move forward; a final one stays, but for an
asynchronous bounce within seven days (E6) and for a correction (E13).
"""

from __future__ import annotations

from typing import NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

from emta.bounce.v1.qualification_pb2 import Disposition, Qualification
from emta.feedback.v1.log_pb2 import LogEffect, LogEntry, LogStatus
from emta.feedback.v1.outcome_pb2 import FailureCause, Outcome, SubscriptionWish

# Contract E6: asynchronous errors come within a week.
_ASYNC_BOUNCE_SECONDS = 7 * 86_400

_TAKEN = LogStatus.LOG_STATUS_TAKEN_INTO_ACCOUNT
_SENT = LogStatus.LOG_STATUS_SENT
_FAILED = LogStatus.LOG_STATUS_FAILED

_APPLIED = LogEffect.LOG_EFFECT_APPLIED
_RECORDED = LogEffect.LOG_EFFECT_RECORDED
_CONFLICT = LogEffect.LOG_EFFECT_CONFLICT


_OF_A_FAILURE = (
    "failure_type",
    "failure_reason",
    "incident_id",
    "campaign_reason",
    "bounce_code",
    "rule_id",
    "normalized_text",
)
_OF_A_HOLD = ("hold_cause", "hold_domain")


class OutcomeError(Exception):
    """An outcome that can never be applied; the text says why."""


class Step(NamedTuple):
    """What an outcome does: the row before (None: there was none) and after."""

    before: LogEntry | None
    after: LogEntry
    effect: LogEffect


def apply(row: LogEntry | None, outcome: Outcome) -> Step:
    """Apply an outcome to a message's row. Neither is changed. Raises OutcomeError."""
    kind = outcome.WhichOneof("event")
    if row is None:
        if kind != "taken_into_account":
            raise OutcomeError("the message was never taken into account")
        return Step(None, _new_row(outcome), _APPLIED)
    after = LogEntry()
    after.CopyFrom(row)
    match kind:
        case "taken_into_account" if max(outcome.epoch, 1) > row.epoch:
            _begin_epoch(after, outcome)
            effect = _APPLIED
        case "taken_into_account":
            effect = _CONFLICT
        case "async_bounce":
            effect = _async_bounce(after, outcome)
        case "complaint":
            after.complaints += 1
            effect = _RECORDED
        case "subscription_request":
            wish = outcome.subscription_request.wish
            after.unsubscribe_requested = wish == SubscriptionWish.SUBSCRIPTION_WISH_UNSUBSCRIBE
            effect = _RECORDED
        case "correction":
            effect = _correct(after, outcome)
        case None:
            raise OutcomeError("it says not what happened")
        case _ if row.status != _TAKEN:
            effect = _CONFLICT
        case _:
            _progress(after, outcome, kind)
            effect = _APPLIED
    if effect == _APPLIED:
        after.update_time.CopyFrom(outcome.event_time)
        if after.status != row.status:
            _mark_final(after, outcome.event_time)
    return Step(row, after, effect)


def _new_row(outcome: Outcome) -> LogEntry:
    return LogEntry(
        delivery_id=outcome.delivery_id,
        message_id=outcome.message_id,
        recipient=outcome.recipient,
        status=_TAKEN,
        accept_time=outcome.event_time,
        update_time=outcome.event_time,
        deadline_time=outcome.taken_into_account.deadline_time,
        seed=outcome.seed,
        epoch=1,
        signed_return_path=outcome.taken_into_account.signed_return_path,
    )


def _begin_epoch(row: LogEntry, outcome: Outcome) -> None:
    """E13: a message that a correction allowed to be submitted again is ours again."""
    allowed = row.status == _FAILED and row.requalified and row.HasField("resubmit_until_time")
    if not allowed or outcome.epoch != row.epoch + 1:
        raise OutcomeError("no correction has opened this epoch")
    _take_again(row)
    row.retry_count = 0
    row.accept_time.CopyFrom(outcome.event_time)
    row.deadline_time.CopyFrom(outcome.taken_into_account.deadline_time)
    row.signed_return_path = outcome.taken_into_account.signed_return_path


def _take_again(row: LogEntry) -> None:
    row.status = _TAKEN
    row.epoch += 1
    for name in ("failure_cause", "requalified", "resubmit_until_time", *_OF_A_HOLD):
        row.ClearField(name)


def _progress(row: LogEntry, outcome: Outcome, kind: str) -> None:
    """What the Relay tells of a message that is not final."""
    row.ClearField("next_attempt_time")
    if kind != "failure" or outcome.failure.cause != FailureCause.FAILURE_CAUSE_EXPIRED:
        # Of an expired message they say why nothing came of it.
        for name in _OF_A_HOLD:
            row.ClearField(name)
    row.retry_count = outcome.retry_count
    match kind:
        case "deferral":
            row.retry_count = outcome.retry_count + 1
            row.last_reply.CopyFrom(outcome.deferral.reply)
            _qualify(row, outcome.deferral.qualification)
            row.next_attempt_time.CopyFrom(outcome.deferral.next_attempt_time)
        case "sent":
            row.status = _SENT
            row.presumed = outcome.sent.presumed
            row.mx_host = outcome.sent.mx_host
            for name in _OF_A_FAILURE:
                row.ClearField(name)
        case "failure":
            row.status = _FAILED
            row.failure_cause = outcome.failure.cause
            if outcome.failure.HasField("reply"):
                row.last_reply.CopyFrom(outcome.failure.reply)
            _qualify(row, outcome.failure.qualification)
        case "unknown_result":
            row.retry_count = outcome.retry_count + 1
            row.possible_duplicate = True
            row.last_reply.CopyFrom(outcome.unknown_result.reply)
            row.next_attempt_time.CopyFrom(outcome.unknown_result.next_attempt_time)
        case "cancellation":
            row.status = LogStatus.LOG_STATUS_CANCELLED
        case "hold":
            row.hold_cause, row.hold_domain = outcome.hold.cause, outcome.hold.domain
            if outcome.hold.HasField("next_attempt_time"):
                row.next_attempt_time.CopyFrom(outcome.hold.next_attempt_time)


def _async_bounce(row: LogEntry, outcome: Outcome) -> LogEffect:
    bounce = outcome.async_bounce
    of_this_life = outcome.epoch in (0, row.epoch)
    in_time = outcome.event_time.seconds - row.final_time.seconds <= _ASYNC_BOUNCE_SECONDS
    final = bounce.qualification.disposition == Disposition.DISPOSITION_FINAL
    if row.status != _SENT or not of_this_life or not in_time or not final:
        return _RECORDED
    row.status = _FAILED
    row.failure_cause = FailureCause.FAILURE_CAUSE_REFUSED
    row.last_reply.CopyFrom(bounce.reply)
    _qualify(row, bounce.qualification)
    return _APPLIED


def _correct(row: LogEntry, outcome: Outcome) -> LogEffect:
    correction = outcome.correction
    if row.status != _FAILED or outcome.epoch not in (0, row.epoch):
        return _CONFLICT
    row.requalified = True
    _qualify(row, correction.qualification)
    if correction.queued_again:
        _take_again(row)
    elif correction.HasField("resubmit_until_time"):
        row.resubmit_until_time.CopyFrom(correction.resubmit_until_time)
    return _APPLIED


def _qualify(row: LogEntry, meaning: Qualification) -> None:
    row.failure_type = meaning.type
    row.failure_reason = meaning.reason
    row.bounce_code = meaning.bounce_code
    row.rule_id = meaning.rule_id
    row.incident_id = meaning.incident_id
    row.normalized_text = meaning.normalized_text
    if meaning.HasField("campaign_reason"):
        row.campaign_reason = meaning.campaign_reason
    else:
        row.ClearField("campaign_reason")


def _mark_final(row: LogEntry, event_time: Timestamp) -> None:
    if row.status == _TAKEN:
        row.ClearField("final_time")
    else:
        row.final_time.CopyFrom(event_time)
