"""Personalised messages: an .eml file with {{column}} placeholders, and a table of people.

Placeholders are filled in header fields and in text parts; in HTML their values are escaped.
Attachments and other parts stay as they are.
"""

from __future__ import annotations

import copy
import html
import re
from collections.abc import Iterable, Mapping
from email import message_from_bytes, policy
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage

from emta.problems import invalid

_PLACEHOLDER = re.compile(r"\{\{\s*([^{}]+?)\s*\}\}")
_ADDRESS_FIELDS = frozenset({"from", "to", "cc", "reply-to", "sender"})
_NAME_AND_ADDRESS = re.compile(r'\s*"?(?P<name>[^"<>]*?)"?\s*<(?P<address>[^<>]*)>\s*')

Row = Mapping[str, str]


class Template:
    """A message with placeholders. Raises Problem TEMPLATE_INVALID when it is no message."""

    def __init__(self, eml: bytes) -> None:
        message = message_from_bytes(eml, policy=policy.SMTP)
        if not message.keys():
            raise invalid("--eml", "TEMPLATE_INVALID", "not a message: it has no header fields")
        self._message = message
        self._fields = {
            name: str(value) for name, value in message.items() if _PLACEHOLDER.search(str(value))
        }
        # Positions in walk() order, with the text as people read it.
        self._texts: dict[int, str] = {}
        for position, part in enumerate(self._message.walk()):
            if part.get_content_maintype() == "text" and not part.is_attachment():
                text = str(part.get_content())
                if _PLACEHOLDER.search(text):
                    self._texts[position] = text

    @property
    def placeholders(self) -> frozenset[str]:
        """Names of the columns that the message asks for."""
        texts = (*self._fields.values(), *self._texts.values())
        return frozenset(name for text in texts for name in _PLACEHOLDER.findall(text))

    @property
    def label(self) -> str:
        """The Subject, where it is the same for everybody; else empty."""
        return "" if "subject" in map(str.lower, self._fields) else str(self._message.get("Subject", ""))

    @property
    def sender(self) -> str:
        """Address of the From field; empty when it has none."""
        field = self._message.get("From")
        addresses = getattr(field, "addresses", ())
        return addresses[0].addr_spec if addresses else ""

    def check(self, columns: Iterable[str]) -> None:
        """Refuse placeholders without a column: Problem PLACEHOLDER_UNKNOWN."""
        known = list(columns)
        for name in sorted(self.placeholders):
            if name not in known:
                raise invalid(
                    "--eml",
                    "PLACEHOLDER_UNKNOWN",
                    f"{{{{{name}}}}} has no column; the columns are {', '.join(known)}",
                )

    def fill(self, row: Row) -> bytes:
        """Give the message for one row: bytes with CRLF line ends."""
        message = copy.deepcopy(self._message)
        for name, value in self._fields.items():
            try:
                message.replace_header(name, _field_value(name, value, row))
            except ValueError as error:
                raise invalid(name, "ROW_INVALID", f"cannot be filled: {error}") from None
        if self._texts:
            for position, part in enumerate(message.walk()):
                if position in self._texts:
                    _set_text(part, self._texts[position], row)
        return message.as_bytes(policy=policy.SMTP)


def _fill(text: str, row: Row) -> str:
    return _PLACEHOLDER.sub(lambda found: row[found[1]], text)


def _field_value(name: str, template: str, row: Row) -> str:
    """Fill a header field; values cannot add fields, nor addresses to an address field."""
    for column in _PLACEHOLDER.findall(template):
        if re.search(r"[\r\n\0]", row[column]):
            raise ValueError(f"column {column} holds a line end")
    parts = _NAME_AND_ADDRESS.fullmatch(template) if name.lower() in _ADDRESS_FIELDS else None
    if parts is None:
        return _fill(template, row)
    display_name, address = _fill(parts["name"], row), _fill(parts["address"], row)
    try:
        return str(Address(display_name=display_name, addr_spec=address))
    except (ValueError, HeaderParseError):
        # No address as Python's parser has it: what to do with it, the Relay decides.
        return str(Address(display_name=display_name)).removesuffix("<>") + f"<{address}>"


def _set_text(part: EmailMessage, template: str, row: Row) -> None:
    subtype = part.get_content_subtype()
    if subtype == "html":
        row = {column: html.escape(value) for column, value in row.items()}
    text = _fill(template, row)
    charset = part.get_content_charset() or "utf-8"
    try:
        text.encode(charset)
    except (UnicodeEncodeError, LookupError):
        charset = "utf-8"
    part.set_content(text, subtype=subtype, charset=charset, cte="quoted-printable")
