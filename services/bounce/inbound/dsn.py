"""Delivery status notifications (RFC 3464): what the machine-readable part says about each recipient."""

from __future__ import annotations

import re
from collections.abc import Iterator

from services.bounce.inbound.address import first_in
from services.bounce.inbound.entity import Entity, Fields, Part
from services.bounce.inbound.mail import Action, Recipient

TYPES = {"message/delivery-status", "message/global-delivery-status"}
# Ours have one recipient each; a mailing list's report may have some.
MAX_RECIPIENTS = 100
LONGEST_TEXT = 1_024

_STATUS = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.])")
_CODE = re.compile(r"(?<![\d.])[2-5]\d\d(?![\d.])")
_ACTIONS = {str(action): action for action in Action} | {
    "delivery": Action.DELIVERED,
    "fail": Action.FAILED,
}


def status_parts(mail: Entity) -> list[Part]:
    """Give the parts of a mail that are delivery statuses."""
    return [part for part in mail.parts if part.type in TYPES]


def recipients(parts: list[Part]) -> Iterator[Recipient]:
    """Read what delivery statuses say about each recipient."""
    for part in parts:
        for block in _blocks(part.text):
            if "final-recipient" in block or "original-recipient" in block or "x-actual-recipient" in block:
                yield _recipient(block)


def about_message(parts: list[Part]) -> Fields:
    """Read what delivery statuses say about the message as a whole (section 2.2)."""
    return next((block for part in parts for block in _blocks(part.text)), Fields(""))


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


def _recipient(block: Fields) -> Recipient:
    final = first_in(block.get("final-recipient"))
    original = first_in(block.get("original-recipient"))
    status = _STATUS.search(block.get("status"))
    diagnostic = _without_type(block.get("diagnostic-code"))
    code = _CODE.match(diagnostic)
    return Recipient(
        address=final or first_in(block.get("x-actual-recipient")) or original,
        action=_ACTIONS.get(block.get("action").partition(" ")[0].strip("<>;").lower()),
        original_address=original,
        status=status[0] if status else "",
        reply_code=int(code[0]) if code else 0,
        text=diagnostic[:LONGEST_TEXT],
        remote_mta=host(block.get("remote-mta")),
    )


def host(value: str) -> str:
    """Give the host name in "dns; mx.example.com (192.0.2.1)", in lower case."""
    name = value.rpartition(";")[2].strip().partition(" ")[0]
    return name.strip("[]().,").lower()[:255]


def _without_type(value: str) -> str:
    kind, semicolon, rest = value.partition(";")
    return rest.strip() if semicolon and len(kind) <= 20 and " " not in kind.strip() else value.strip()
