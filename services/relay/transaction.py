"""One message to one recipient over SMTP: what is asked, what comes of it, and its exact bytes."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from emta.bounce.v1.smtp_reply_pb2 import SmtpReply

END_OF_DATA = b".\r\n"
# Half the time that `in` takes, in most contents for nothing.
_DOT_FIRST = re.compile(rb"\n\.")
_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")


class Transaction(NamedTuple):
    """What to send.

    `mail_from` ("" is the null sender) and `rcpt_to` are addresses without brackets. `signature` (the
    DKIM-Signature fields, or nothing) and `content` are the message, every line ending in CRLF, before
    dot-stuffing; they go out byte for byte.
    """

    mail_from: str
    rcpt_to: str
    signature: bytes
    content: bytes
    needs_8bitmime: bool
    needs_smtputf8: bool


class Delivered(NamedTuple):
    """The receiver took responsibility: a 2xx after the final dot (RFC 5321 section 4.2.5).

    `reply_text` is its reply with the codes, in the form of SmtpReply.text.
    """

    reply_text: str
    mx_host: str
    remote_ip: str
    local_ip: str
    tls_version: str


@dataclass(frozen=True)
class Refused:
    """The receiver does not have the message."""

    reply: SmtpReply


@dataclass(frozen=True)
class Unknown:
    """Everything was sent up to the final dot and no valid answer came: it may have the message."""

    reply: SmtpReply


Result = Delivered | Refused | Unknown


def missing_extensions(transaction: Transaction, offered: Collection[str]) -> list[str]:
    """Name what the message needs beyond what the receiver offers (EHLO keywords in lower case)."""
    if not (transaction.needs_8bitmime or transaction.needs_smtputf8):
        return []
    needs = {"8BITMIME": transaction.needs_8bitmime, "SMTPUTF8": transaction.needs_smtputf8}
    return [name for name, needed in needs.items() if needed and name.lower() not in offered]


def envelope(transaction: Transaction, offered: Collection[str]) -> tuple[bytes, bytes]:
    """Give the MAIL and the RCPT command, with the parameters of the offered extensions.

    SIZE is RFC 1870, BODY is RFC 6152, SMTPUTF8 is RFC 6531. An oversized message is offered all the
    same: the receiver's own refusal says more than its limit does. Raises ValueError for an address with a
    control character: it would be a command of its own, and nothing of it goes out.
    """
    mail = b"MAIL FROM:<%b>" % transaction.mail_from.encode()
    if "size" in offered:
        mail += b" SIZE=%d" % (len(transaction.signature) + len(transaction.content))
    if transaction.needs_8bitmime:
        mail += b" BODY=8BITMIME"
    if transaction.needs_smtputf8:
        mail += b" SMTPUTF8"
    rcpt = b"RCPT TO:<%b>" % transaction.rcpt_to.encode()
    if _CONTROL.search(mail) or _CONTROL.search(rcpt):
        raise ValueError("an address with a control character")
    return mail + b"\r\n", rcpt + b"\r\n"


def stuffed(transaction: Transaction) -> list[bytes]:
    """Give what follows DATA, up to the final dot: no line begins with a lone dot (RFC 5321 section 4.5.2).

    The signature never does; the content is copied only where one of its lines does.
    """
    content = transaction.content
    if _DOT_FIRST.search(content):
        content = content.replace(b"\r\n.", b"\r\n..")
    if content.startswith(b"."):
        content = b"." + content
    return [transaction.signature, content]
