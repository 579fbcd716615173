"""Bounces that follow no standard: whom they are about, and why, from how they are laid out.

Reports differ in words and agree in layout: an address begins a line and the reason follows it (qmail,
Postfix, Exim, Sendmail, Exchange), or a label or a sentence names the address, or a field of the header
does. What is not the sender's own address and stands in the most telling place is the recipient.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from services.bounce.inbound.address import in_text
from services.bounce.inbound.entity import Entity, Fields
from services.bounce.inbound.mail import Action, Recipient
from services.bounce.inbound.smtp_words import host_in, reply_in, status_in
from services.bounce.inbound.words import words

_LONGEST_TEXT = 1_024
_MAX_RECIPIENTS = 100


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
    r"(?:\bfrom|\bby|sender|reply-to|contact|e-?mail to|write to|\bid|return-path|envelope-from|message-id)"
    r"[\s:=]{0,10}[<\"'\[(]{0,2}$",
    re.IGNORECASE,
)
# "Reason:", "There was an error delivering your mail to <...>."
_ANNOUNCES = re.compile(r":$|^.{0,100}\b(?:to|for)\b.{0,5}\S{1,320}@\S{1,255}$")
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


def recipients(mail: Entity, lines: list[str], own: list[str], original: Fields) -> list[Recipient]:
    """Read whom a bounce is about, and why.

    `own`: addresses that are the sender's rather than a recipient's, the surest first. `original`: the
    header of the returned message; empty where there is none.
    """
    named = _of_field(mail.fields, "x-failed-recipients")
    # Some systems write the recipient where others write whom the report came to.
    for known in (own, own[:1], []):
        known_keys = {address.lower() for address in known}
        mentions = list(_mentions(lines, known_keys))
        returned_to = [each for each in _of_field(original, "to") if each.lower() not in known_keys]
        if chosen := _chosen(mentions, named, returned_to):
            break
    delayed = _is_delayed(mail, lines)
    return [
        _recipient(address, mentions, lines, alone=len(chosen) == 1, delayed=delayed)
        for address in chosen[:_MAX_RECIPIENTS]
    ]


def words_about(address: str, lines: list[str], *, alone: bool) -> Recipient:
    """Read what lines for people say about a recipient whom a report names elsewhere."""
    return _recipient(address, list(_mentions(lines, set())), lines, alone=alone, delayed=False)


def _of_field(fields: Fields, name: str) -> list[str]:
    found = (address for value in fields.all(name)[:20] for address in in_text(value[:5_000]))
    return list(dict.fromkeys(found))


def _mentions(lines: list[str], own: set[str]) -> Iterator[_Mention]:
    for number, line in enumerate(lines):
        if "@" not in line:
            continue
        for address in in_text(line):
            if address.lower() in own:
                continue
            before, _, rest = line.partition(address)
            if (place := _place(before, rest)) is not None:
                yield _Mention(number, place, address, rest)


def _place(before: str, rest: str) -> _Place | None:
    if not before.strip(_BULLET).strip(_OPENING) and _AFTER.match(rest):
        return _Place.LINE
    before = before[-60:]
    if _NOT_RECIPIENT.search(before):
        return None
    return _Place.LABEL if _LABEL.search(before) else _Place.SENTENCE


def _chosen(mentions: list[_Mention], named: list[str], returned_to: list[str]) -> list[str]:
    """Choose the recipients: by the header's own field, else by the most telling place."""
    lower = {address.lower() for address in named}
    by_place: dict[_Place, dict[str, str]] = {place: {} for place in _Place}
    for mention in mentions:
        by_place[mention.place].setdefault(mention.address.lower(), mention.address)
    leading = by_place[_Place.LINE]
    if named:
        return [leading[key] for key in leading if key in lower] or list(leading.values()) or named
    to = {address.lower() for address in returned_to}
    for found in by_place.values():
        telling = [key for key in found if key.partition("@")[0] not in _ROLES] or list(found)
        known = [key for key in telling if key in to]
        if found is by_place[_Place.SENTENCE]:
            telling = known or telling[:1]
        if telling:
            return [found[key] for key in telling]
    return returned_to[:1]


def _recipient(
    address: str, mentions: list[_Mention], lines: list[str], *, alone: bool, delayed: bool
) -> Recipient:
    segments = list(_segments(address.lower(), mentions, lines))
    said = [line for segment in segments for line in segment]
    reply = reply_in(said) or (reply_in(lines) if alone else None)
    text = reply.text if reply else next(filter(None, map(_reason, segments)), "")
    if not text:
        reply = reply_in(lines)
        text = reply.text if reply else _all_of(lines)
    return Recipient(
        address=address,
        action=Action.DELAYED if delayed else Action.FAILED,
        status=(reply.status if reply else "") or status_in(text),
        reply_code=reply.code if reply else 0,
        text=text[:_LONGEST_TEXT],
        remote_mta=host_in("\n".join(said)) or (host_in("\n".join(lines)) if alone else ""),
    )


def _segments(address: str, mentions: list[_Mention], lines: list[str]) -> Iterator[list[str]]:
    """Give what is said at each of the most telling mentions of an address, up to that of another one."""
    best = min((each.place for each in mentions if each.address.lower() == address), default=_Place.LINE)
    starts = [mention for mention in mentions if mention.place <= best]
    for place, mention in enumerate(starts):
        if mention.address.lower() != address:
            continue
        end = next((each.line for each in starts[place + 1 :] if each.line > mention.line), len(lines))
        first = mention.rest.lstrip(" \t>:;\"'])|") if best == _Place.LINE else lines[mention.line]
        yield [first, *lines[mention.line + 1 : end]]


def _reason(segment: list[str]) -> str:
    """Give the first words of a segment: a paragraph, or two where the first only announces the other."""
    words: list[str] = []
    for line in segment:
        stripped = line.strip(_DECORATION)
        if stripped:
            words.append(stripped)
        elif words and not (len(words) == 1 and _ANNOUNCES.search(words[0])):
            break
    return " ".join(words)


def _all_of(lines: list[str]) -> str:
    return " ".join(stripped for line in lines if (stripped := line.strip(_DECORATION)))


def _is_delayed(mail: Entity, lines: list[str]) -> bool:
    text = "\n".join([mail.fields.words("subject")[:500], *lines[:60]])
    return _GOES_ON.search(text) is not None and _OVER.search(text) is None
