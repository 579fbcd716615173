"""What Feedback is told about a mail (contract 2.2, E6 to E8)."""

from __future__ import annotations

import hashlib
import re

from emta.bounce.v1.qualification_pb2 import Disposition, FailureReason, Qualification
from emta.bounce.v1.smtp_reply_pb2 import SmtpReply
from emta.feedback.v1.feedback_service_pb2 import RecordOutcomesItem
from emta.feedback.v1.log_pb2 import LogEntry, LogStatus
from emta.feedback.v1.outcome_pb2 import (
    AddressEvent,
    AddressStatus,
    AsyncBounce,
    Complaint,
    Outcome,
    SubscriptionRequest,
    SubscriptionWish,
)
from services.bounce.inbound.mail import InboundMail, MailKind

# Contract 1.2: a reason that only addresses have.
_DENYLISTED = AddressEvent(
    status=AddressStatus.ADDRESS_STATUS_DENYLISTED,
    reason=FailureReason.FAILURE_REASON_DENYLISTED,
    campaign_reason=8,
)
_FINAL = Disposition.DISPOSITION_FINAL
_WISHES = {
    MailKind.SUBSCRIBE: SubscriptionWish.SUBSCRIPTION_WISH_SUBSCRIBE,
    MailKind.UNSUBSCRIBE: SubscriptionWish.SUBSCRIPTION_WISH_UNSUBSCRIBE,
}
_LONGEST_NAME = 256  # Complaint.reported_by
# What every server on the way puts on top, so that two copies of a mail differ there.
_ON_TOP = re.compile(
    rb"(?:From [^\n]*\n)?(?:(?:return-path|received|delivered-to|x-delivered-to|x-original-to|envelope-to"
    rb"|x-envelope-to|delivery-date):[^\n]*\n(?:[ \t][^\n]*\n)*)*",
    re.IGNORECASE,
)


def digest(content: bytes) -> bytes:
    """Digest of a mail (SHA-256), the same for its copies whatever servers on the way put on top."""
    text = content.replace(b"\r\n", b"\n")
    top = _ON_TOP.match(text)
    return hashlib.sha256(text[top.end() if top else 0 :].rstrip(b"\n")).digest()


def outcome_of(mail: InboundMail, reply: SmtpReply, qualification: Qualification | None) -> Outcome | None:
    """Make the event of what a mail says about one recipient; None: there is nothing to record."""
    if mail.kind == MailKind.COMPLAINT:
        return Outcome(
            complaint=Complaint(
                feedback_type=mail.feedback_type,
                reported_by=(mail.reporting_mta or mail.sender)[:_LONGEST_NAME],
                address_event=_DENYLISTED,
            )
        )
    if wish := _WISHES.get(mail.kind):
        return Outcome(subscription_request=SubscriptionRequest(wish=wish, requested_by=mail.sender))
    if qualification is None:
        return None
    return Outcome(async_bounce=AsyncBounce(reply=reply, qualification=qualification))


def ends(outcome: Outcome, row: LogEntry) -> bool:
    """Whether it tells the end of a message whose delivery is not over: Feedback could not apply it yet."""
    return (
        outcome.async_bounce.qualification.disposition == _FINAL
        and row.status == LogStatus.LOG_STATUS_TAKEN_INTO_ACCOUNT
        and outcome.epoch in (0, row.epoch)
    )


def about(outcome: Outcome, row: LogEntry, *, tenant: str, epoch: int, arrived_ms: int) -> None:
    """Say in an event which message it is about, and when it happened."""
    outcome.tenant, outcome.epoch = tenant, epoch
    outcome.delivery_id, outcome.message_id = row.delivery_id, row.message_id
    outcome.recipient, outcome.seed = row.recipient, row.seed
    outcome.event_time.FromMilliseconds(arrived_ms)


def item(outcome: Outcome, mail_digest: bytes, address: str) -> RecordOutcomesItem:
    """Give the event its key: once for a mail and recipient, whoever reports it."""
    key = hashlib.sha256(mail_digest + address.lower().encode(errors="replace")).hexdigest()
    return RecordOutcomesItem(producer_key=key, outcome=outcome)
