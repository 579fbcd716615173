"""Complaints: the abuse reporting format (RFC 5965), what came before it, and failure reports (RFC 6591).

Providers blank out parts of what the format asks for. Who complained stands in the report's own fields, or
else in fields of the returned message, or is the one it was sent to.
"""

from __future__ import annotations

from services.bounce.inbound.address import first_in
from services.bounce.inbound.dsn import MAX_RECIPIENTS
from services.bounce.inbound.entity import Entity, Fields
from services.bounce.inbound.mail import MailKind, Recipient
from services.bounce.inbound.words import words

_TYPE = "message/feedback-report"
# Reports about a message, not wishes of its recipient (RFC 6591, RFC 7489; RFC 6430; RFC 5965 section 7.3).
_NO_COMPLAINTS = {"auth-failure", "not-spam", "dmarc"}
# In the order in which they are believed. Hotmail's and Yahoo's stand in the returned message.
_REPORTED = ("original-rcpt-to", "removal-recipient", "redacted-address", "original-recipient")
_RETURNED = (
    "x-hmxmroriginalrecipient",
    "x-rcpt-to",
    "x-apparently-to",
    "to",
    "x-original-to",
    "delivered-to",
)
_SUBJECTS = words("subject", "complaint")
_SENDERS = words("sender", "complaints")


def report_in(mail: Entity) -> Fields | None:
    """Give the machine-readable part of a report; None where the mail has none."""
    part = next((part for part in mail.parts if part.type == _TYPE), None)
    return Fields(part.text.strip("\n")) if part else None


def is_complaint(subject: str, sender: str) -> bool:
    """Whether a mail that returns a message is a complaint without a machine-readable part (Hotmail)."""
    return _SUBJECTS.search(subject) is not None and _SENDERS.search(sender) is not None


def kind_of(report: Fields) -> tuple[MailKind, str]:
    """Say what a report is, and its feedback type in lower case."""
    feedback = report.get("feedback-type", "feedback-report").partition(";")[0].strip().lower()[:40]
    is_complaint = feedback not in _NO_COMPLAINTS
    return (MailKind.COMPLAINT if is_complaint else MailKind.AUTHENTICATION), feedback or "abuse"


def recipients(report: Fields, returned: Fields) -> list[Recipient]:
    """Say who complained; one without an address where nothing tells."""
    found = [address for value in report.all("original-rcpt-to") if (address := _address(value))]
    if not found:
        values = [report.get(name) for name in _REPORTED] + [returned.get(name) for name in _RETURNED]
        found = [next(filter(None, map(_address, values)), "")]
    return [Recipient(address=address) for address in dict.fromkeys(found)][:MAX_RECIPIENTS]


def _address(value: str) -> str:
    address = first_in(value)
    return "" if address.lower().startswith("undisclosed") else address
