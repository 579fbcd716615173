"""What the Relay tells Feedback about a message, in sequence."""

from __future__ import annotations

from typing import Any

from emta.bounce.v1.qualification_pb2 import (
    BounceCode,
    Cause,
    Disposition,
    FailureReason,
    FailureType,
    Qualification,
)
from emta.feedback.v1.feedback_service_pb2 import RecordOutcomesItem
from emta.feedback.v1.outcome_pb2 import (
    Deferral,
    Failure,
    FailureCause,
    Hold,
    HoldCause,
    UnknownResult,
)
from emta.relay.v1.message_pb2 import Message
from services.relay.store.record import Claimed
from services.relay.submission import Submission
from services.relay.transaction import Delivered, Unknown

# Our own refusals (contract 1.3, code 25): about us, never about the address.
_ADMIN_FAILURE = Qualification(
    type=FailureType.FAILURE_TYPE_IGNORED,
    reason=FailureReason.FAILURE_REASON_REFUSED,
    campaign_reason=20,
    bounce_code=BounceCode.BOUNCE_CODE_ADMIN_FAILURE,
    disposition=Disposition.DISPOSITION_FINAL,
)
# The end of a validity in which no receiver ever answered (contract decision 10).
_NEVER_ANSWERED = Qualification(
    type=FailureType.FAILURE_TYPE_IGNORED,
    reason=FailureReason.FAILURE_REASON_UNREACHABLE,
    campaign_reason=3,
)
# No receiver said this: the connection went away after the final dot.
LOST_AFTER_DOT = Qualification(
    type=FailureType.FAILURE_TYPE_SOFT,
    reason=FailureReason.FAILURE_REASON_UNREACHABLE,
    campaign_reason=3,
    bounce_code=BounceCode.BOUNCE_CODE_TIMEOUT,
    disposition=Disposition.DISPOSITION_RETRY,
    cause=Cause.CAUSE_NETWORK,
    rule_id="relay.lost-after-dot",
)
# The same where something was said that Bounce never got to see.
_NEVER_QUALIFIED = Qualification(
    type=FailureType.FAILURE_TYPE_NOT_DEFINED,
    reason=FailureReason.FAILURE_REASON_NOT_DEFINED,
    campaign_reason=0,
)


def taken_into_account(submission: Submission, traceparent: str) -> RecordOutcomesItem:
    """E1, the first outcome of every message."""
    message = submission.message
    item = _of(submission.tenant, message, 1, traceparent)
    outcome = item.outcome
    outcome.event_time.CopyFrom(submission.acceptance.accept_time)
    told = outcome.taken_into_account
    told.deadline_time.CopyFrom(submission.acceptance.deadline_time)
    told.size_bytes = len(submission.content)
    told.header_message_id = submission.header_message_id
    told.signed_return_path = submission.signed_return_path
    if message.metadata:
        told.metadata.MergeFrom(message.metadata)
    return item


def sent(
    claimed: Claimed, now_ms: int, traceparent: str, result: Delivered | None, size: int
) -> RecordOutcomesItem:
    """E0, E4; without a result: presumed (decision 7)."""
    item = _next(claimed, now_ms, traceparent)
    told = item.outcome.sent
    told.presumed, told.size_bytes = result is None, size
    if result is not None:
        told.reply_text = result.reply_text
        told.mx_host, told.remote_ip = result.mx_host, result.remote_ip
        told.local_ip, told.tls_version = result.local_ip, result.tls_version
    told.queue_time.FromMilliseconds(now_ms - claimed.accepted_ms)
    return item


def deferral(claimed: Claimed, now_ms: int, traceparent: str, next_ms: int) -> RecordOutcomesItem:
    """E3: what is in the record was said, and the message is tried again."""
    told = Deferral(reply=claimed.reply, qualification=claimed.qualification)
    told.next_attempt_time.FromMilliseconds(next_ms)
    return _next(claimed, now_ms, traceparent, attempts=claimed.failed_attempts - 1, deferral=told)


def refused(claimed: Claimed, now_ms: int, traceparent: str) -> RecordOutcomesItem:
    """E2: what is in the record was said, and it is final."""
    told = Failure(
        cause=FailureCause.FAILURE_CAUSE_REFUSED,
        reply=claimed.reply,
        qualification=claimed.qualification,
    )
    return _next(claimed, now_ms, traceparent, attempts=claimed.failed_attempts - 1, failure=told)


def expired(claimed: Claimed, now_ms: int, traceparent: str) -> RecordOutcomesItem:
    """E5: code 24 with the last type and reason."""
    meaning = Qualification()
    if claimed.qualification is not None:
        meaning.CopyFrom(claimed.qualification)
    else:
        meaning.CopyFrom(_NEVER_ANSWERED if claimed.reply is None else _NEVER_QUALIFIED)
    meaning.bounce_code = BounceCode.BOUNCE_CODE_TIMEOUT
    meaning.disposition = Disposition.DISPOSITION_FINAL
    told = Failure(cause=FailureCause.FAILURE_CAUSE_EXPIRED, reply=claimed.reply, qualification=meaning)
    return _next(claimed, now_ms, traceparent, failure=told)


def given_up(claimed: Claimed, now_ms: int, traceparent: str, cause: FailureCause) -> RecordOutcomesItem:
    """The message fails for a reason of ours."""
    told = Failure(cause=cause, reply=claimed.reply, qualification=_ADMIN_FAILURE)
    return _next(claimed, now_ms, traceparent, failure=told)


def hold(
    claimed: Claimed, now_ms: int, traceparent: str, cause: HoldCause, next_ms: int, domain: str
) -> RecordOutcomesItem:
    """The message waits for something of ours; `domain`: that a signing key is missing of."""
    told = Hold(cause=cause, domain=domain)
    told.next_attempt_time.FromMilliseconds(next_ms)
    return _next(claimed, now_ms, traceparent, hold=told)


def unknown_result(
    claimed: Claimed, now_ms: int, traceparent: str, result: Unknown, next_ms: int
) -> RecordOutcomesItem:
    """E15: no answer came to the final dot, and the message is tried again."""
    told = UnknownResult(reply=result.reply)
    told.next_attempt_time.FromMilliseconds(next_ms)
    return _next(claimed, now_ms, traceparent, attempts=claimed.failed_attempts - 1, unknown_result=told)


def _next(
    claimed: Claimed, now_ms: int, traceparent: str, attempts: int | None = None, **event: Any
) -> RecordOutcomesItem:
    """Make the next outcome of a message; `attempts`: those that had failed before this one."""
    claimed.sequence += 1
    item = _of(claimed.tenant, claimed.message, claimed.sequence, traceparent)
    outcome = item.outcome
    outcome.retry_count = claimed.failed_attempts if attempts is None else attempts
    outcome.event_time.FromMilliseconds(now_ms)
    for name, told in event.items():
        getattr(outcome, name).CopyFrom(told)
    return item


def _of(tenant: str, message: Message, sequence: int, traceparent: str) -> RecordOutcomesItem:
    """Begin an outcome of a message, where it will stay: to put it there later would copy all of it."""
    key = f"{tenant}/{message.epoch}.{sequence}/{message.delivery_id}/{message.message_id}"
    item = RecordOutcomesItem(producer_key=key[:256])
    outcome = item.outcome
    outcome.tenant = tenant
    outcome.delivery_id, outcome.message_id = message.delivery_id, message.message_id
    outcome.sequence = sequence
    outcome.recipient = message.rcpt_to
    outcome.seed = message.seed
    outcome.traceparent = traceparent
    outcome.epoch = message.epoch
    return item
