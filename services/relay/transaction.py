"""One message to one recipient over SMTP: what is asked, what comes of it, and its exact bytes."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from emta.bounce.v1.smtp_reply_pb2 import SmtpReply

END_OF_DATA = b".\r\n"


@dataclass(frozen=True)
class Transaction:
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


@dataclass(frozen=True)
class Delivered:
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
    needs = {"8BITMIME": transaction.needs_8bitmime, "SMTPUTF8": transaction.needs_smtputf8}
    return [name for name, needed in needs.items() if needed and name.lower() not in offered]


def envelope(transaction: Transaction, offered: Collection[str]) -> tuple[bytes, bytes]:
    """Give the MAIL and the RCPT command, with the parameters of the offered extensions.

    SIZE is RFC 1870, BODY is RFC 6152, SMTPUTF8 is RFC 6531. An oversized message is offered all the
    same: the receiver's own refusal says more than its limit does.
    """
    mail = b"MAIL FROM:<%b>" % transaction.mail_from.encode()
    if "size" in offered:
        mail += b" SIZE=%d" % (len(transaction.signature) + len(transaction.content))
    if transaction.needs_8bitmime:
        mail += b" BODY=8BITMIME"
    if transaction.needs_smtputf8:
        mail += b" SMTPUTF8"
    return mail + b"\r\n", b"RCPT TO:<%b>\r\n" % transaction.rcpt_to.encode()


def stuffed(transaction: Transaction) -> list[bytes]:
    """Give what follows DATA, up to the final dot: no line begins with a lone dot (RFC 5321 section 4.5.2).

    The signature never does; the content is copied only where one of its lines does.
    """
    content = transaction.content
    if b"\r\n." in content:
        content = content.replace(b"\r\n.", b"\r\n..")
    if content.startswith(b"."):
        content = b"." + content
    return [transaction.signature, content]
