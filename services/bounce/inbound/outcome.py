"""What a mail means for each recipient, in Campaign's terms: by the same rules as replies of SMTP."""

from __future__ import annotations

from emta.bounce.v1.qualification_pb2 import (
    BounceCode,
    Disposition,
    FailureReason,
    FailureType,
    Qualification,
)
from emta.bounce.v1.smtp_reply_pb2 import SmtpReply
from emta.terms import CAMPAIGN_REASON
from services.bounce import terms
from services.bounce.inbound.failure import failure_in
from services.bounce.inbound.mail import Action, InboundMail, MailKind, Recipient
from services.bounce.qualify import Answer, Qualifier

_NO_FAILURES = {Action.DELIVERED, Action.RELAYED, Action.EXPANDED, Action.DELIVERABLE}
# Where the rules know no more, how the reporter failed says more than its words.
_UNSPECIFIC = {FailureReason.FAILURE_REASON_NOT_DEFINED, FailureReason.FAILURE_REASON_UNREACHABLE}
# Mails that are no bounces have the bounce code of contract 1.3.
BOUNCE_CODES = {
    MailKind.AUTO_REPLY: BounceCode.BOUNCE_CODE_AUTO_REPLY,
    MailKind.SUBSCRIBE: BounceCode.BOUNCE_CODE_SUBSCRIBE,
    MailKind.UNSUBSCRIBE: BounceCode.BOUNCE_CODE_UNSUBSCRIBE,
    MailKind.CHALLENGE: BounceCode.BOUNCE_CODE_CHALLENGE_RESPONSE,
}


def meaning(mail: InboundMail, recipient: Recipient, qualifier: Qualifier) -> Qualification | None:
    """Say what a mail means for one of its recipients. None: nothing failed."""
    return meaning_by(mail, recipient, answered(mail, recipient, qualifier))


def meaning_by(mail: InboundMail, recipient: Recipient, answer: Answer | None) -> Qualification | None:
    """Say the same where it is known what the words about the recipient mean (`answered`).

    A complaint is hard, Refused: Campaign denylists the address. A report about authentication, a vacation,
    a challenge move no counter. A delay is soft, and goes on being tried by whoever reports it.
    """
    if mail.kind == MailKind.COMPLAINT:
        return _fixed(BounceCode.BOUNCE_CODE_UNSPECIFIED, FailureType.FAILURE_TYPE_HARD, "complaint")
    if mail.kind in (MailKind.AUTO_REPLY, MailKind.CHALLENGE):
        return _fixed(BOUNCE_CODES[mail.kind], None, mail.kind.value)
    if answer is None:
        return None
    qualification = Qualification()
    qualification.CopyFrom(answer.meaning)
    if recipient.action == Action.DELAYED:
        _soften(qualification)
    return qualification


def answered(mail: InboundMail, recipient: Recipient, qualifier: Qualifier) -> Answer | None:
    """Give what the words about a recipient mean. None: it is no bounce, or nothing failed."""
    if mail.kind != MailKind.BOUNCE or recipient.action in _NO_FAILURES:
        return None
    reply = reply_of(mail, recipient)
    answer = qualifier.answer(reply)
    unspecific = not recipient.reply_code and answer.meaning.reason in _UNSPECIFIC
    if unspecific and (kind := failure_in(recipient.text)):
        reply.failure = kind
        answer = qualifier.answer(reply)
    return answer


def reply_of(mail: InboundMail, recipient: Recipient) -> SmtpReply:
    """Make a reply of what the mail says, as the receiver would have given it to us."""
    code = recipient.reply_code
    if not code and recipient.action == Action.DELAYED:
        code = 400
    return SmtpReply(
        phase=f"SMTP_PHASE_{recipient.phase.upper() or 'UNSPECIFIED'}",
        code=code,
        enhanced_code=recipient.status,
        text=recipient.text.encode(errors="replace").decode(),
        mx_host=recipient.remote_mta or mail.reporting_mta,
    )


def _fixed(code: BounceCode, kind: FailureType | None, name: str) -> Qualification:
    default = terms.MEANINGS.get(code)
    reason = default.reason if default else FailureReason.FAILURE_REASON_REFUSED
    return Qualification(
        type=kind or (default.type if default else FailureType.FAILURE_TYPE_IGNORED),
        reason=reason,
        campaign_reason=CAMPAIGN_REASON[reason],
        bounce_code=code,
        rule_id=f"inbound.{name}",
    )


def _soften(qualification: Qualification) -> None:
    qualification.disposition = Disposition.DISPOSITION_RETRY
    if qualification.type in (FailureType.FAILURE_TYPE_HARD, FailureType.FAILURE_TYPE_NOT_DEFINED):
        qualification.type = FailureType.FAILURE_TYPE_SOFT
    if qualification.reason == FailureReason.FAILURE_REASON_NOT_DEFINED:
        qualification.reason = FailureReason.FAILURE_REASON_UNREACHABLE
        qualification.bounce_code = BounceCode.BOUNCE_CODE_TRANSIENT_FAILURE
    qualification.campaign_reason = CAMPAIGN_REASON[qualification.reason]
