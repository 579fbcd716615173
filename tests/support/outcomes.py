"""Outcomes as a Relay reports them."""

from __future__ import annotations

from typing import Any

from emta.bounce.v1.qualification_pb2 import (
    BounceCode,
    Disposition,
    FailureReason,
    FailureType,
    Qualification,
)
from emta.bounce.v1.smtp_reply_pb2 import SmtpReply
from emta.feedback.v1.feedback_service_pb2 import RecordOutcomesItem
from emta.feedback.v1.outcome_pb2 import (
    AsyncBounce,
    Cancellation,
    Complaint,
    Correction,
    Deferral,
    Failure,
    FailureCause,
    Hold,
    HoldCause,
    Outcome,
    Sent,
    SubscriptionRequest,
    SubscriptionWish,
    TakenIntoAccount,
    UnknownResult,
)
from tests.support.clock import START_MS

USER_UNKNOWN = Qualification(
    type=FailureType.FAILURE_TYPE_HARD,
    reason=FailureReason.FAILURE_REASON_USER_UNKNOWN,
    campaign_reason=1,
    bounce_code=BounceCode.BOUNCE_CODE_INVALID_RECIPIENT,
    disposition=Disposition.DISPOSITION_FINAL,
)
MAILBOX_FULL = Qualification(
    type=FailureType.FAILURE_TYPE_SOFT,
    reason=FailureReason.FAILURE_REASON_MAILBOX_FULL,
    campaign_reason=5,
    bounce_code=BounceCode.BOUNCE_CODE_MAILBOX_FULL,
    disposition=Disposition.DISPOSITION_RETRY_LATER,
)
EVENTS: dict[str, Any] = {
    "taken_into_account": TakenIntoAccount(size_bytes=10),
    "deferral": Deferral(reply=SmtpReply(code=452, text="full"), qualification=MAILBOX_FULL),
    "sent": Sent(mx_host="mx.b.example"),
    "failure": Failure(
        cause=FailureCause.FAILURE_CAUSE_REFUSED,
        reply=SmtpReply(code=550, text="unknown"),
        qualification=USER_UNKNOWN,
    ),
    "unknown_result": UnknownResult(reply=SmtpReply(text="lost")),
    "cancellation": Cancellation(actor="operator"),
    "hold": Hold(cause=HoldCause.HOLD_CAUSE_NO_KEY),
    "async_bounce": AsyncBounce(qualification=USER_UNKNOWN),
    "complaint": Complaint(feedback_type="abuse"),
    "subscription_request": SubscriptionRequest(wish=SubscriptionWish.SUBSCRIPTION_WISH_UNSUBSCRIBE),
    "correction": Correction(queued_again=True, qualification=MAILBOX_FULL),
}


def outcome(
    kind: str,
    sequence: int = 0,
    *,
    message: str = "m1",
    delivery: str = "d1",
    after_s: float = 0,
    **fields: Any,
) -> Outcome:
    """An outcome of `kind` at the start of time plus `after_s` seconds."""
    told = Outcome(
        delivery_id=delivery,
        message_id=message,
        sequence=sequence,
        recipient=f"{message}@b.example",
        **{kind: EVENTS[kind]},
        **fields,
    )
    told.event_time.FromMilliseconds(START_MS + round(after_s * 1000))
    return told


def item(told: Outcome, key: str = "") -> RecordOutcomesItem:
    """An item of RecordOutcomes."""
    key = key or f"{told.delivery_id}/{told.message_id}/{told.sequence}"
    return RecordOutcomesItem(producer_key=key, outcome=told)
