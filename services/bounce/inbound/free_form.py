"""Bounces that follow no standard: whom they are about, and why, from how they are laid out.

Reports differ in words and agree in layout: an address begins a line and the reason follows it (qmail,
Postfix, Exim, Sendmail, Exchange), or a label or a sentence names the address, or a field of the header
does. What is not the sender's own address and stands in the most telling place is the recipient.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Collection
from enum import IntEnum
from functools import cached_property
from typing import NamedTuple

from services.bounce.inbound.address import in_text
from services.bounce.inbound.dsn import LONGEST_TEXT, MAX_RECIPIENTS
from services.bounce.inbound.entity import Entity, Fields
from services.bounce.inbound.mail import Action, Recipient
from services.bounce.inbound.smtp_words import Reply, host_in, reply_in, status_in
from services.bounce.inbound.words import words


class _Place(IntEnum):
    """Where an address stands, the most telling place first."""

    LINE = 0  # it begins the line, and what is said of it follows
    LABEL = 1  # "Recipient: <...>", "RCPT TO:<...>"
    SENTENCE = 2  # amid words


class _Mention(NamedTuple):
    line: int
    place: _Place
    address: str
    rest: str  # of the line, behind the address


_BULLET = " \t*-•·|>"
_DECORATION = " \t-=*#|_"
_OPENING = "<\"'[(`"
# What may follow an address that begins its line; other words make it a sentence.
_AFTER = re.compile(r"[>\"'\])`]*\s*(?:$|[:;,.\[(<|-]|\.\.\.|on\s|[45]\d\d\b|\w{1,20}:)")
_LABEL = re.compile(
    r"(?:\bto|recipients?|address(?:es|ees?)?|failed|attempts|user|mailbox|destin\w{0,10}|empf\w{0,10}"
    r"|adres\w{0,6}|destinat\w{0,8}|indirizz\w{1,3}|receiver|account|for|宛先|收件人)"
    r"\s{0,3}[:=：]\s{0,20}[<\"'\[(]{0,2}$|\brcpt to:?\s{0,3}<?$",
    re.IGNORECASE,
)
_NOT_RECIPIENT = re.compile(
    r"(?:\bfrom|\bby|sender|reply-to|\bid|return-path|envelope-from|message-id)[\s:=]{0,10}[<\"'\[(]{0,2}$",
    re.IGNORECASE,
)
# Whom to ask is no recipient wherever else it stands.
_CONTACT = re.compile(
    r"(?:contact|assistance|write to|please e-?mail|send (?:an? )?e?-?mail to)[\s:=]{0,10}[<\"'\[(]{0,2}$",
    re.IGNORECASE,
)
# What is shorter only announces: "Reason:", "(unrecoverable error)".
_TELLING = 40
_ROLES = {
    "postmaster",
    "mailer-daemon",
    "abuse",
    "support",
    "helpdesk",
    "hostmaster",
    "webmaster",
    "noreply",
}
_GOES_ON, _OVER = words("delay", "goes_on"), words("delay", "over")


class Report:
    """The lines of a report, and what they say about each address."""

    def __init__(self, lines: list[str], own: Collection[str] = ()) -> None:
        """`own`: addresses in lower case that are no recipients."""
        self._lines = lines
        self._mentions: dict[str, list[_Mention]] = {}
        self._marked: dict[_Place, list[int]] = {place: [] for place in _Place}
        for mention in _mentions(lines, own):
            self._mentions.setdefault(mention.address.lower(), []).append(mention)
            for place in _Place:
                if mention.place <= place:
                    self._marked[place].append(mention.line)

    def addresses(self, place: _Place) -> dict[str, str]:
        """Give the addresses in such a place as they are written, by themselves in lower case."""
        return {
            key: mention.address
            for key, mentions in self._mentions.items()
            for mention in mentions
            if mention.place == place
        }

    def about(self, address: str, *, alone: bool, action: Action = Action.FAILED) -> Recipient:
        """Read what is said about a recipient. `alone`: about no other, so that all is about this one."""
        said, text = self._said_of(address.lower())
        reply = reply_in(said) or (self._reply if alone or not text else None)
        if reply:
            text = reply.text or text
        text = text or self._text
        return Recipient(
            address=address,
            action=action,
            status=(reply.status if reply else "") or status_in(text),
            reply_code=reply.code if reply else 0,
            text=text[:LONGEST_TEXT],
            remote_mta=host_in("\n".join(said)) or (self._host if alone else ""),
            phase=reply.phase if reply else "",
        )

    def _said_of(self, address: str) -> tuple[list[str], str]:
        """Give the lines about an address, and the reason: of the most telling places that have one."""
        mentions = self._mentions.get(address, [])
        said: list[str] = []
        for place in sorted({mention.place for mention in mentions}):
            segments = [self._segment(mention, place) for mention in mentions if mention.place == place]
            said += [line for segment in segments for line in segment]
            if text := next(filter(None, (_reason(segment, place) for segment in segments)), ""):
                return said, text
        return said, ""

    def _segment(self, mention: _Mention, place: _Place) -> list[str]:
        """Give what follows a mention, up to the next that is as telling."""
        marked = self._marked[place]
        after = bisect_right(marked, mention.line)
        end = marked[after] if after < len(marked) else len(self._lines)
        rest = mention.rest.lstrip(" \t>:;\"'])|")
        first = rest if place == _Place.LINE else self._lines[mention.line]
        return [first, *self._lines[mention.line + 1 : end]]

    @cached_property
    def _reply(self) -> Reply | None:
        return reply_in(self._lines)

    @cached_property
    def _host(self) -> str:
        return host_in("\n".join(self._lines))

    @cached_property
    def _text(self) -> str:
        return " ".join(stripped for line in self._lines if (stripped := line.strip(_DECORATION)))


def recipients(mail: Entity, lines: list[str], own: list[str], original: Fields) -> list[Recipient]:
    """Read whom a bounce is about, and why.

    `own`: addresses that are the sender's rather than a recipient's, the surest first. `original`: the
    header of the returned message; empty where there is none.
    """
    named = _of_field(mail.fields, "x-failed-recipients")
    returned_to = _of_field(original, "to")
    # Some systems write the recipient where others write whom the report came to.
    for known in (own, own[:1], []):
        keys = {address.lower() for address in known}
        report = Report(lines, keys)
        chosen = _chosen(report, named, [each for each in returned_to if each.lower() not in keys])
        if chosen:
            break
    action = Action.DELAYED if _is_delayed(mail, lines) else Action.FAILED
    chosen = chosen[:MAX_RECIPIENTS]
    return [report.about(address, alone=len(chosen) == 1, action=action) for address in chosen]


def _of_field(fields: Fields, name: str) -> list[str]:
    found = (address for value in fields.all(name)[:20] for address in in_text(value[:5_000]))
    return list(dict.fromkeys(found))


def _mentions(lines: list[str], own: Collection[str]) -> list[_Mention]:
    mentions, contacts = [], set()
    for number, line in enumerate(lines):
        for address in in_text(line):
            if address.lower() in own:
                continue
            before, _, rest = line.partition(address)
            if _CONTACT.search(before[-60:]):
                contacts.add(address.lower())
            elif (place := _place(before, rest)) is not None:
                mentions.append(_Mention(number, place, address, rest))
    return [mention for mention in mentions if mention.address.lower() not in contacts]


def _place(before: str, rest: str) -> _Place | None:
    if not before.strip(_BULLET).strip(_OPENING) and _AFTER.match(rest):
        return _Place.LINE
    before = before[-60:]
    if _NOT_RECIPIENT.search(before):
        return None
    return _Place.LABEL if _LABEL.search(before) else _Place.SENTENCE


def _chosen(report: Report, named: list[str], returned_to: list[str]) -> list[str]:
    """Choose the recipients: by the header's own field, else by the most telling place."""
    if named:
        keys = {address.lower() for address in named}
        leading = report.addresses(_Place.LINE)
        return [leading[key] for key in leading if key in keys] or list(leading.values()) or named
    to = {address.lower() for address in returned_to}
    for place in _Place:
        found = report.addresses(place)
        telling = [key for key in found if key.partition("@")[0] not in _ROLES] or list(found)
        if place == _Place.SENTENCE:
            telling = [key for key in telling if key in to] or telling[:1]
        if telling:
            return [found[key] for key in telling]
    return returned_to[:1]


def _reason(segment: list[str], place: _Place) -> str:
    """Give the first words of a segment; '' where none follow the address: it is said elsewhere."""
    if place == _Place.LINE:
        return _paragraph(segment)
    first, *others = segment
    behind = _paragraph(others)
    return f"{first.strip(_DECORATION)} {behind}" if behind else ""


def _paragraph(lines: list[str]) -> str:
    """Give the first paragraph, or more where the first say little."""
    words = ""
    for line in lines:
        if stripped := line.strip(_DECORATION):
            words = f"{words} {stripped}" if words else stripped
        elif len(words) >= _TELLING:
            break
        if len(words) > LONGEST_TEXT:
            break
    return words


def _is_delayed(mail: Entity, lines: list[str]) -> bool:
    text = "\n".join([mail.fields.words("subject")[:500], *lines[:60]])
    return _GOES_ON.search(text) is not None and _OVER.search(text) is None
