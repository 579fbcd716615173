"""From the octets of a mail that came back to what it says."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from email.utils import parsedate_to_datetime

from services.bounce.inbound import dsn
from services.bounce.inbound.address import first_in
from services.bounce.inbound.entity import Entity, Fields, opened
from services.bounce.inbound.mail import InboundMail, MailKind, Original

# Where mail systems write the envelope's recipient, the most faithful first.
_ARRIVED = ("delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "x-delivered-to", "to")
_ORIGINALS = ("message/rfc822", "message/global", "text/rfc822-header", "message/rfc822-header")


def read(raw: bytes) -> InboundMail:
    """Read a mail. Raises LimitError (entity.py) for one that is too large or too deeply nested."""
    mail = opened(raw)
    known = _common(mail)
    if statuses := dsn.status_parts(mail):
        about = dsn.about_message(statuses)
        known = replace(
            known,
            reporting_mta=dsn.host(about.get("reporting-mta")),
            arrival_date=_date(about.get("arrival-date")),
        )
        if recipients := tuple(dsn.recipients(statuses)):
            return replace(known, kind=MailKind.BOUNCE, recipients=recipients[: dsn.MAX_RECIPIENTS])
    return known


def _common(mail: Entity) -> InboundMail:
    """Read what every mail has."""
    arrived = (first_in(value) for name in _ARRIVED for value in mail.fields.all(name))
    return InboundMail(
        kind=MailKind.OTHER,
        arrived_at=tuple(dict.fromkeys(address for address in arrived if address)),
        sender=first_in(mail.fields.get("from")),
        message_id=mail.fields.get("message-id"),
        subject=mail.fields.words("subject"),
        original=_original(mail),
    )


def _original(mail: Entity) -> Original:
    """Read what the mail has of the message that it is about."""
    returned = next((part for part in mail.parts if part.type.startswith(_ORIGINALS)), None)
    if returned is None:
        return Original()
    fields = Fields(returned.text.lstrip("\n").partition("\n\n")[0])
    to = (first_in(value) for value in fields.all("to"))
    return Original(
        message_id=fields.get("message-id"),
        return_path=first_in(fields.get("return-path")),
        recipients=tuple(address for address in to if address),
    )


def _date(value: str) -> datetime | None:
    try:
        return parsedate_to_datetime(value[:100]) if value else None
    except (ValueError, IndexError, TypeError, OverflowError):
        return None
