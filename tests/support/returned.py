"""Mails that come back, written by hand after the standards."""

from __future__ import annotations

from email.utils import formatdate


def dsn(
    *recipients: str,
    action: str = "failed",
    status: str = "5.1.1",
    diagnostic: str = "550 5.1.1 No such user here",
    message_id: str = "",
    to: str = "bounces@shop.example",
    arrival_ms: int | None = None,
    text: str = "",
) -> bytes:
    """A delivery status notification (RFC 3464) about each recipient."""
    arrival = f"Arrival-Date: {formatdate(arrival_ms / 1000)}\n" if arrival_ms is not None else ""
    blocks = "\n".join(
        f"Final-Recipient: rfc822; {recipient}\nAction: {action}\nStatus: {status}\n"
        f"Remote-MTA: dns; mx.b.example\nDiagnostic-Code: smtp; {diagnostic}\n"
        for recipient in recipients
    )
    original = f"Message-ID: {message_id}\n" if message_id else ""
    return _wire(
        f"From: MAILER-DAEMON@mx.b.example\nTo: {to}\nSubject: Undelivered Mail Returned to Sender\n"
        "Message-ID: <report@mx.b.example>\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="=_b"\n\n'
        f"--=_b\nContent-Type: text/plain\n\nYour message could not be delivered. {text}\n\n"
        "--=_b\nContent-Type: message/delivery-status\n\n"
        f"Reporting-MTA: dns; mx.b.example\n{arrival}\n{blocks}\n"
        f"--=_b\nContent-Type: text/rfc822-headers\n\nFrom: news@shop.example\n{original}Subject: Hello\n\n"
        "--=_b--\n"
    )


def complaint(return_path: str, *, message_id: str = "") -> bytes:
    """A complaint (RFC 5965) of a provider that blanks out who complained."""
    original = f"Message-ID: {message_id}\n" if message_id else ""
    return _wire(
        "From: feedback@provider.example\nTo: fbl@shop.example\nSubject: FW: Hello\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="=_b"\n\n'
        "--=_b\nContent-Type: text/plain\n\nThis is an email abuse report.\n\n"
        "--=_b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: Provider/1.0\n"
        f"Version: 1\nOriginal-Mail-From: <{return_path}>\n\n"
        "--=_b\nContent-Type: message/rfc822\n\n"
        f"From: news@shop.example\n{original}Subject: Hello\n\nHello\n\n"
        "--=_b--\n"
    )


def vacation(sender: str) -> bytes:
    """An automatic answer (RFC 3834)."""
    return _wire(
        f"From: {sender}\nTo: bounces@shop.example\nSubject: Auto: Hello\nAuto-Submitted: auto-replied\n\n"
        "I am on vacation until Monday.\n"
    )


def unsubscribe(sender: str, subject: str = "unsubscribe") -> bytes:
    """What a mail program sends for the mailto of List-Unsubscribe (RFC 2369)."""
    return _wire(f"From: {sender}\nTo: leave@shop.example\nSubject: {subject}\n\n")


def personal() -> bytes:
    """A person answers a newsletter."""
    return _wire("From: you@b.example\nTo: bounces@shop.example\nSubject: Re: Hello\n\nHow nice of you!\n")


def _wire(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()
