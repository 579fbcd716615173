"""What is read from a mail that came back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class MailKind(StrEnum):
    """What a mail is."""

    BOUNCE = "bounce"  # a report about delivery: failures, delays, successes
    COMPLAINT = "complaint"  # the recipient, or the provider for him, wants no more
    AUTO_REPLY = "auto_reply"  # vacation, out of office (RFC 3834)
    CHALLENGE = "challenge"  # asks the sender to prove that he is human
    SUBSCRIBE = "subscribe"
    UNSUBSCRIBE = "unsubscribe"
    AUTHENTICATION = "authentication"  # SPF, DKIM or DMARC failed, or the like: no recipient asks anything
    OTHER = "other"  # written by a person, or nothing that is known


class Action(StrEnum):
    """What became of the message for one recipient (RFC 3464 section 2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"  # the reporting server goes on trying
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"
    DELIVERABLE = "deliverable"  # Postfix's answer to a probe (sendmail -bv)


@dataclass(frozen=True, slots=True)
class Recipient:
    """What a mail says about one recipient."""

    address: str  # as the mail says it; empty: it does not say
    action: Action | None = None  # None: the mail is about no delivery
    original_address: str = ""  # as the sender wrote it (Original-Recipient), where it was forwarded
    status: str = ""  # enhanced status code (RFC 3463), for example "5.1.1"
    reply_code: int = 0  # of SMTP, 200..599; 0: none is known
    text: str = ""  # the receiver's words without codes, else the reporter's; at most 1,024 characters
    remote_mta: str = ""  # who refused: host name in lower case
    phase: str = ""  # where in SMTP, as SmtpPhase names it, in lower case: "mail", "rcpt", "dot"


@dataclass(frozen=True, slots=True)
class Original:
    """What is known of the message that this mail is about."""

    message_id: str = ""  # with its angle brackets
    return_path: str = ""
    recipients: tuple[str, ...] = ()  # of its To field


@dataclass(frozen=True, slots=True)
class InboundMail:
    """A mail, read. What is not known is empty."""

    kind: MailKind
    recipients: tuple[Recipient, ...] = ()
    arrived_at: tuple[str, ...] = ()  # addresses it came to, from the envelope's to that of To
    sender: str = ""  # address in From
    message_id: str = ""  # its own
    subject: str = ""
    original: Original = Original()
    reporting_mta: str = ""  # host name in lower case
    feedback_type: str = ""  # of a complaint (RFC 5965 section 7.3), for example "abuse"
    arrival_date: datetime | None = None  # when the original came to the reporter
