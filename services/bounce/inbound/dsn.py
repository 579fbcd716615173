"""Delivery status notifications (RFC 3464): what the machine-readable part says about each recipient."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import islice

from emta.reply_codes import without_codes
from services.bounce.inbound.address import first_in
from services.bounce.inbound.entity import Fields
from services.bounce.inbound.mail import Action, Recipient

TYPES = {"message/delivery-status", "message/global-delivery-status"}
# Ours have one recipient each; a mailing list's report may have some.
MAX_RECIPIENTS = 100
LONGEST_TEXT = 1_024

_ABOUT_RECIPIENT = ("final-recipient", "original-recipient", "x-actual-recipient")
_STATUS = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.])")
_ACTIONS = {str(action): action for action in Action} | {
    "delivery": Action.DELIVERED,
    "fail": Action.FAILED,
}


def recipients(statuses: Iterable[str]) -> list[Recipient]:
    """Read what delivery statuses say about each recipient; of one that comes twice, what is said first."""
    blocks = (block for status in statuses for block in _blocks(status))
    about = (block for block in blocks if any(name in block for name in _ABOUT_RECIPIENT))
    found: dict[str, Recipient] = {}
    for recipient in map(_recipient, islice(about, MAX_RECIPIENTS)):
        found.setdefault(recipient.address.lower(), recipient)
    return list(found.values())


def about_message(statuses: Iterable[str]) -> Fields:
    """Read what delivery statuses say about the message as a whole (section 2.2)."""
    blocks = (block for status in statuses for block in _blocks(status))
    return next((block for block in blocks if "reporting-mta" in block), Fields(""))


def _blocks(text: str) -> Iterator[Fields]:
    """Cut at empty lines, and where a second recipient begins: some forget the line."""
    lines: list[str] = []
    has_recipient = False
    for line in [*text.split("\n"), ""]:
        starts = line[:16].lower() == "final-recipient:"
        if (not line.strip() or (starts and has_recipient)) and lines:
            yield Fields("\n".join(lines))
            lines, has_recipient = [], False
        if line.strip():
            lines.append(line)
            has_recipient = has_recipient or starts


def recipient_of(
    address: str,
    said: str,
    action: Action | None,
    *,
    status: str = "",
    original_address: str = "",
    remote_mta: str = "",
) -> Recipient:
    """Make a recipient of what was said. A status of no detail gives way to one that was said."""
    text, code, quoted = without_codes(said)
    if not status or (status.endswith(".0.0") and quoted.startswith(status[0])):
        status = quoted or status
    return Recipient(
        address=address,
        action=action,
        original_address=original_address,
        status=status,
        reply_code=code,
        text=text[:LONGEST_TEXT],
        remote_mta=remote_mta,
    )


def _recipient(block: Fields) -> Recipient:
    final = first_in(block.get("final-recipient"))
    original = first_in(block.get("original-recipient"))
    status = _STATUS.search(block.get("status"))
    return recipient_of(
        final or first_in(block.get("x-actual-recipient")) or original,
        _without_type(block.get("diagnostic-code")),
        _ACTIONS.get(block.get("action").partition(" ")[0].strip("<>;").lower()),
        status=status[0] if status else "",
        original_address=original,
        remote_mta=host(block.get("remote-mta")),
    )


def host(value: str) -> str:
    """Give the host name in "dns; mx.example.com (192.0.2.1)", in lower case."""
    name = value.rpartition(";")[2].strip().partition(" ")[0]
    return name.strip("[]().,").lower()[:255]


def _without_type(value: str) -> str:
    kind, semicolon, rest = value.partition(";")
    return rest.strip() if semicolon and len(kind) <= 20 and " " not in kind.strip() else value.strip()
