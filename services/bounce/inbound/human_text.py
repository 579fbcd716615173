"""What a report says to people: its lines, up to the message that it returns."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from services.bounce.inbound.entity import Entity, Fields, Part
from services.bounce.inbound.smtp_words import reply_in

# What a reporter has to say fits in far less; the rest is the returned message.
_LONGEST = 64 * 1024
_MAX_LINES = 500
_MAX_LINE = 1_000

_RETURNED_TYPES = ("message/rfc822", "message/global", "text/rfc822-header", "message/rfc822-header")
_FIELD = re.compile(r"[ \t>|]{0,4}([A-Za-z][A-Za-z0-9-]{1,40}):(?:[ \t]|$)")
# Fields that a header has and a letter has not.
_STRONG = {"received", "return-path", "dkim-signature", "arc-seal", "x-received"}
_OF_WHOLE_HEADERS = _STRONG | {"mime-version", "content-type"}
_USUAL = {"from", "to", "date", "subject", "message-id", "mime-version", "content-type", "cc", "sender"}
_DECORATION = " \t-=*#|_"
# "--- Below this line is a copy of the message.", "Original message follows."
_ANNOUNCES = re.compile(
    r"^\W{0,80}(?:\w+\W{1,5}){0,6}(?:(?:message|mail|headers?) (?:text )?follows?"
    r"|(?:original|returned|bounced|copy of|header of|unsent) .{0,40}(?:message|mail|headers?))",
    re.IGNORECASE,
)
_TAG = re.compile(r"<[^<>]*>")
_BLOCK_TAG = re.compile(
    r"<(?:/?(?:p|div|tr|table|h[1-6]|li|ul|pre|td)|br ?/?)(?:\s[^<>]*)?>", re.IGNORECASE
)
_HIDDEN_TAG = re.compile(r"<(/?)(?:style|script|head)(?:\s[^<>]*)?>", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class HumanText:
    """Lines for people; where the returned message stands among them, its header, and all of it."""

    lines: list[str]
    returned: Fields
    message: str


def human_text(mail: Entity) -> HumanText:
    """Find what a mail says to people. A part that returns a message says nothing."""
    text = "\n".join(
        part.text for part in mail.parts if part.type == "text/plain" and not _is_attached(part)
    )
    if not text.strip():
        text = "\n".join(_without_tags(part.text) for part in mail.parts if part.type == "text/html")
    lines = [line[:_MAX_LINE].rstrip() for line in text[:_LONGEST].split("\n")[:_MAX_LINES]]
    start = _start_of_header(lines)
    header = _without_indent(lines[start:])
    behind = lines[start + len(header) :]
    if _is_summary(header, behind):
        return HumanText(lines[:start] + behind, Fields("\n".join(header)), "")
    while start and (not lines[start - 1].strip(_DECORATION) or _ANNOUNCES.search(lines[start - 1])):
        start -= 1
    return HumanText(lines[:start], Fields("\n".join(header)), "\n".join([*header, *behind]))


def returned_part(mail: Entity) -> Part | None:
    """Give the part that returns a message, or its header."""
    return next((part for part in mail.parts if part.type.startswith(_RETURNED_TYPES)), None)


def header_of(part: Part) -> Fields:
    """Give the header of the message that a part returns."""
    return Fields(part.text.lstrip("\n").partition("\n\n")[0])


def _is_attached(part: Part) -> bool:
    return part.fields.get("content-disposition").lower().startswith("attachment")


def _start_of_header(lines: list[str]) -> int:
    """Find the line at which a message's header begins; the number of lines where none does."""
    started = fields = indent = 0
    for number, line in enumerate(lines):
        if fields and _indent(line) > indent:
            continue  # folded
        found = _FIELD.match(line)
        name = found[1].lower() if found else ""
        if not fields:
            started, indent = number, _indent(line)
        if name in _STRONG:
            return started
        fields = fields + 1 if name in _USUAL or name.startswith("x-") else 0
        if fields == 3:
            return started
    return len(lines)


def _is_summary(header: list[str], behind: list[str]) -> bool:
    """Whether some fields say which message a report is about, and what it says follows them."""
    names = {line.partition(":")[0].strip().lower() for line in header}
    return not names & _OF_WHOLE_HEADERS and reply_in(behind) is not None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" \t>|"))


def _without_indent(lines: list[str]) -> list[str]:
    """Take off what the first line is indented by, up to the empty line that ends the header."""
    if not lines:
        return []
    width = _indent(lines[0])
    end = next((number for number, line in enumerate(lines) if not line.strip(" >|")), len(lines))
    return [line[width:] for line in lines[:end]]


def _without_tags(text: str) -> str:
    """Give the text of HTML: its blocks as lines."""
    shown, at, hidden = [], 0, False
    for tag in _HIDDEN_TAG.finditer(text):
        if not hidden:
            shown.append(text[at : tag.start()])
        hidden, at = not tag[1], tag.end()
    if not hidden:
        shown.append(text[at:])
    return html.unescape(_TAG.sub("", _BLOCK_TAG.sub("\n", "".join(shown).replace("\n", " "))))
