"""From the octets of a mail that came back to what it says."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime
from email.utils import parsedate_to_datetime

from services.bounce.inbound import arf, dsn, free_form
from services.bounce.inbound.address import first_in
from services.bounce.inbound.automatic import automatic_kind
from services.bounce.inbound.entity import Entity, Fields, opened
from services.bounce.inbound.human_text import HumanText, header_of, human_text, returned_part
from services.bounce.inbound.mail import InboundMail, MailKind, Original, Recipient
from services.bounce.inbound.notification import notification_in
from services.bounce.inbound.request import request_in
from services.bounce.inbound.smtp_words import phase_in, reply_in
from services.bounce.inbound.words import words

# Where mail systems write the envelope's recipient, the most faithful first.
_ARRIVED = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-delivered-to", "to")
# What an answer is about; Campaign writes it into the subject of the mails that ask to leave a list.
_ANSWERED = ("in-reply-to", "references", "subject")
_MESSAGE_ID = re.compile(r"<[^<>\s@]{1,500}@[^<>\s@]{1,255}>")
# Of a report that is passed on: its status stands before the message that it returns.
_PASSED_ON_OCTETS = 128 * 1024
_DAEMON = words("sender", "daemon")
_BOUNCED = words("subject", "bounce")


def read(raw: bytes) -> InboundMail:
    """Read a mail. Raises LimitError (entity.py) for one that is too large or too deeply nested."""
    outer, passed_on = _read(opened(raw))
    if not passed_on:
        return outer
    inner, _ = _read(opened(passed_on))
    if inner.kind != MailKind.BOUNCE:
        return outer
    return replace(inner, arrived_at=outer.arrived_at, sender=outer.sender, message_id=outer.message_id)


def _read(mail: Entity) -> tuple[InboundMail, bytes]:
    """Read a mail; gives as well the report that it passes on behind words of its own, if it does."""
    text = human_text(mail)
    part = returned_part(mail)
    returned = header_of(part) if part else text.returned
    known = _common(mail, returned)
    found = (
        _delivery_status(mail, text, returned, known)
        or _complaint(mail, returned, known)
        or _notification(mail, known)
        or _bounce(mail, text, returned, known)
        or _answer(mail, text, known)
        or known
    )
    has_status = any(part.type in dsn.TYPES for part in mail.parts)
    if has_status or returned.get("return-path") != "<>":
        return found, b""
    return found, (part.body if part else text.message.encode(errors="replace"))[:_PASSED_ON_OCTETS]


def _common(mail: Entity, returned: Fields) -> InboundMail:
    """Read what every mail has."""
    arrived = (first_in(value) for name in _ARRIVED for value in mail.fields.all(name)[:20])
    to = (first_in(value) for value in returned.all("to")[:20])
    return InboundMail(
        kind=MailKind.OTHER,
        arrived_at=tuple(dict.fromkeys(address for address in arrived if address)),
        sender=first_in(mail.fields.get("from")),
        message_id=mail.fields.get("message-id"),
        subject=mail.fields.words("subject"),
        original=Original(
            message_id=returned.get("message-id"),
            return_path=first_in(returned.get("return-path")),
            recipients=tuple(address for address in to if address),
        ),
    )


def _delivery_status(
    mail: Entity, text: HumanText, returned: Fields, known: InboundMail
) -> InboundMail | None:
    """Read a report of RFC 3464, also one whose machine-readable part stands amid the text."""
    statuses = [part.text for part in mail.parts if part.type in dsn.TYPES]
    if not statuses and _is_bounce(mail, text, returned, known):
        statuses = ["\n".join(text.lines)]
    found = dsn.recipients(statuses)
    if not found:
        return None
    if len(found) == 1 and not found[0].address:
        others = _free_form(mail, text, returned, known)
        found = [replace(found[0], address=others[0].address if len(others) == 1 else "")]
    about = dsn.about_message(statuses)
    report = free_form.Report(text.lines)
    return replace(
        known,
        kind=MailKind.BOUNCE,
        recipients=tuple(_completed(each, report, alone=len(found) == 1) for each in found),
        reporting_mta=dsn.host(about.get("reporting-mta")),
        arrival_date=_date(about.get("arrival-date")),
    )


def _completed(recipient: Recipient, report: free_form.Report, *, alone: bool) -> Recipient:
    """Fill in what the machine-readable part leaves out and the words for people say."""
    said = report.about(recipient.address, alone=alone)
    return replace(
        recipient,
        status=recipient.status or said.status,
        reply_code=recipient.reply_code or said.reply_code,
        text=recipient.text or said.text,
        remote_mta=recipient.remote_mta or said.remote_mta,
        phase=phase_in(recipient.text) or said.phase,
    )


def _complaint(mail: Entity, returned: Fields, known: InboundMail) -> InboundMail | None:
    report = arf.report_in(mail)
    if report is None:
        if not returned or not arf.is_complaint(known.subject, known.sender):
            return None
        report = Fields("")
    kind, feedback = arf.kind_of(report)
    return replace(
        known,
        kind=kind,
        feedback_type=feedback,
        recipients=tuple(arf.recipients(report, returned)),
        original=_completed_by(known.original, return_path=first_in(report.get("original-mail-from"))),
        arrival_date=_date(report.get("arrival-date", "received-date")),
    )


def _notification(mail: Entity, known: InboundMail) -> InboundMail | None:
    found = notification_in(mail)
    return replace(known, kind=found[0], recipients=tuple(found[1])) if found and found[1] else None


def _bounce(mail: Entity, text: HumanText, returned: Fields, known: InboundMail) -> InboundMail | None:
    if not _is_bounce(mail, text, returned, known):
        return None
    found = _free_form(mail, text, returned, known)
    return replace(known, kind=MailKind.BOUNCE, recipients=tuple(found)) if found else None


def _free_form(mail: Entity, text: HumanText, returned: Fields, known: InboundMail) -> list[Recipient]:
    senders = (known.original.return_path, first_in(returned.get("from")))
    own = [first_in(mail.fields.get("to")), known.sender, *known.arrived_at, *senders]
    return free_form.recipients(mail, text.lines, own, returned)


def _is_bounce(mail: Entity, text: HumanText, returned: Fields, known: InboundMail) -> bool:
    """Whether a program reports about a delivery: by its marks, or who it is and what it says."""
    fields = mail.fields
    if "x-failed-recipients" in fields:
        return True
    if fields.parameter("content-type", "report-type").lower() == "delivery-status":
        return True
    failed = _BOUNCED.search(known.subject[:300]) is not None
    anonymous = fields.get("return-path") == "<>"
    if _DAEMON.search(fields.words("from")[:300]):
        return failed or anonymous or bool(returned) or reply_in(text.lines[:100]) is not None
    if automatic_kind(mail, text.lines):
        return False
    return failed and (anonymous or bool(returned))


def _answer(mail: Entity, text: HumanText, known: InboundMail) -> InboundMail | None:
    """Read an automatic answer or a request: about whoever sent it."""
    kind = automatic_kind(mail, text.lines) or request_in(mail, text.lines, known.arrived_at)
    if kind is None:
        return None
    values = (mail.fields.words(name)[:2_000] for name in _ANSWERED)
    found = next((found for value in values if (found := _MESSAGE_ID.search(value))), None)
    return replace(
        known,
        kind=kind,
        recipients=(Recipient(address=known.sender),),
        original=_completed_by(known.original, message_id=found[0] if found else ""),
    )


def _completed_by(original: Original, *, return_path: str = "", message_id: str = "") -> Original:
    return replace(
        original,
        return_path=original.return_path or return_path,
        message_id=original.message_id or message_id,
    )


def _date(value: str) -> datetime | None:
    try:
        return parsedate_to_datetime(value[:100]) if value else None
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
