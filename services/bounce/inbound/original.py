"""Which message of ours a mail is about: by its signed return path, its Message-ID, or its recipient."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from emta.bounce.v1.inbound_service_pb2 import FoundBy
from emta.feedback.v1.feedback_service_pb2 import MessageName as Name
from emta.feedback.v1.feedback_service_pb2 import MessageQuery
from emta.feedback.v1.log_pb2 import LogEntry, LogStatus
from emta.return_path import ForgedError, MessageName, ReturnPaths
from services.bounce.inbound.mail import InboundMail, MailKind, Recipient
from services.chassis.domain_names import folded

_MESSAGE_ID = re.compile(r"<[^<>\s]{1,996}>")
# Clocks of reporting servers are wrong by so much now and then.
_CLOCK_SKEW_MS = 3_600_000
# What anybody could make up to harm an address; other mails only tell.
_HARMFUL = {MailKind.BOUNCE, MailKind.COMPLAINT}
_SENT, _FAILED = LogStatus.LOG_STATUS_SENT, LogStatus.LOG_STATUS_FAILED


@dataclass(frozen=True, slots=True)
class Clues:
    """What a mail tells about its message. `forged`: a return path like ours that is none."""

    name: MessageName | None
    message_id: str  # with its angle brackets; "": it tells none
    forged: bool


@dataclass(slots=True)
class Found:
    """The rows that Feedback has for the clues, each list the latest accepted first."""

    named: Sequence[LogEntry] = ()
    with_message_id: Sequence[LogEntry] = ()
    to_recipient: Mapping[str, Sequence[LogEntry]] = field(default_factory=dict)


def clues_of(mail: InboundMail, envelope_recipient: str, paths: ReturnPaths | None) -> Clues:
    """Gather the clues. Without keys no return path is known, and none is forged."""
    found = _MESSAGE_ID.search(mail.original.message_id[:2_000])
    message_id = found[0] if found else ""
    forged = False
    for address in (envelope_recipient, *mail.arrived_at, mail.original.return_path):
        try:
            name = paths.read(address) if paths else None
        except ForgedError:
            forged = True
            continue
        if name is not None:
            return Clues(name, message_id, forged=False)
    return Clues(None, message_id, forged)


def addresses_of(mail: InboundMail, recipient: Recipient) -> list[str]:
    """Give the addresses that we may have sent to, the likeliest first."""
    known = [recipient.original_address, recipient.address]
    if not any(known) and len(mail.recipients) == len(mail.original.recipients) == 1:
        known = list(mail.original.recipients)
    return list(dict.fromkeys(address for address in known if address))


def queries_of(mail: InboundMail, clues: Clues, arrived_ms: int) -> list[MessageQuery]:
    """Say what to ask Feedback; nothing for a mail that says nothing about anybody."""
    if not mail.recipients:
        return []
    if name := clues.name:
        named = Name(tenant=name.tenant, delivery_id=name.delivery_id, message_id=name.message_id)
        return [MessageQuery(name=named)]
    queries = [MessageQuery(header_message_id=clues.message_id)] if clues.message_id else []
    if not clues.forged:
        # Who forges a return path knows the recipient, too; a Message-ID only who has seen the message.
        addresses = chain(*(addresses_of(mail, recipient) for recipient in mail.recipients))
        queries += [MessageQuery(recipient=address) for address in dict.fromkeys(addresses)]
    for query in queries:
        query.accepted_before_time.FromMilliseconds(arrived_ms)
    return queries


def found_for(queries: Sequence[MessageQuery], answers: Sequence[Sequence[LogEntry]]) -> Found:
    """Put together what Feedback answers."""
    found, to_recipient = Found(), {}
    for query, entries in zip(queries, answers, strict=True):
        match query.WhichOneof("by"):
            case "name":
                found.named = entries
            case "header_message_id":
                found.with_message_id = entries
            case _:
                to_recipient[query.recipient] = entries
    found.to_recipient = to_recipient
    return found


def original_of(
    mail: InboundMail, recipient: Recipient, clues: Clues, found: Found, arrived_ms: int
) -> tuple[FoundBy, LogEntry | None]:
    """Say which message it is, and how it was found. No row: it is none of ours, or nothing tells."""
    if row := _about(mail, recipient, found.named):
        return FoundBy.FOUND_BY_RETURN_PATH, row
    if row := _about(mail, recipient, found.with_message_id):
        return FoundBy.FOUND_BY_MESSAGE_ID, row
    for address in addresses_of(mail, recipient):
        if row := _last_to(mail, found.to_recipient.get(address, ()), arrived_ms):
            return FoundBy.FOUND_BY_RECIPIENT, row
    return FoundBy.FOUND_BY_UNSPECIFIED, None


def _about(mail: InboundMail, recipient: Recipient, rows: Sequence[LogEntry]) -> LogEntry | None:
    """Give the message among some that carry the same mark.

    Of a mail about several recipients (a list that was expanded behind our recipient), or of several
    messages with one Message-ID, the one to this recipient. Else it is the only one: forwarded, perhaps.
    """
    addresses = set(map(folded, addresses_of(mail, recipient)))
    own = next((row for row in rows if folded(row.recipient) in addresses), None)
    if own is not None or len(rows) != 1 or len(mail.recipients) != 1:
        return own
    return rows[0]


def _last_to(mail: InboundMail, rows: Iterable[LogEntry], arrived_ms: int) -> LogEntry | None:
    """Give the last message that a recipient got before the mail; where the mail says when, before that.

    A message with a signed return path was not bounced by who does not know it.
    """
    known = [
        row
        for row in rows
        if row.status in (_SENT, _FAILED)
        and row.final_time.ToMilliseconds() <= arrived_ms
        and not (row.signed_return_path and mail.kind in _HARMFUL)
    ]
    if mail.arrival_date is not None:
        latest_ms = mail.arrival_date.timestamp() * 1_000 + _CLOCK_SKEW_MS
        known = [row for row in known if row.final_time.ToMilliseconds() <= latest_ms] or known
    sent = [row for row in known if row.status == _SENT]
    return next(iter(sent or known), None)
