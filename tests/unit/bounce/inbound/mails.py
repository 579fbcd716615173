"""Mails for tests, written by hand in the layouts that programs use."""

from __future__ import annotations

SENDER = "bounce+1@news.example"
REPORTER = "MAILER-DAEMON@mta.example"
RETURNED = """\
Return-Path: <bounce+1@news.example>
Received: from news.example (news.example [192.0.2.9]) by mta.example; Mon, 2 Nov 2026 10:00:00 +0000
From: News <news@news.example>
To: anna@shop.example
Subject: Hello
Message-ID: <m1@news.example>
Date: Mon, 2 Nov 2026 09:59:59 +0000

Hello Anna
"""


def mail(body: str, content_type: str = "text/plain; charset=utf-8", **fields: str) -> bytes:
    """A mail to SENDER. `fields`: more of its header, with "_" for "-"; one that is empty is left out."""
    header = {
        "Return-Path": "<>",
        "From": f"Mail Delivery System <{REPORTER}>",
        "To": SENDER,
        "Subject": "Undelivered Mail Returned to Sender",
        "Message-ID": "<r1@mta.example>",
        "Content-Type": content_type,
    } | {name.replace("_", "-").title().replace("-Id", "-ID"): value for name, value in fields.items()}
    lines = "".join(f"{name}: {value}\n" for name, value in header.items() if value)
    return f"{lines}\n{body}".encode()


def multipart(
    *parts: tuple[str, str], kind: str = "report; report-type=delivery-status", **fields: str
) -> bytes:
    """A mail of several parts, each with its content type and body."""
    pieces = "".join(f"--b1\nContent-Type: {each}\n\n{body}\n" for each, body in parts)
    return mail(f"{pieces}--b1--\n", f'multipart/{kind}; boundary="b1"', **fields)


def dsn(status: str, text: str = "See below.", returned: str = RETURNED, **fields: str) -> bytes:
    """A delivery status notification (RFC 3464 appendix E) with these fields about its recipients."""
    about = "Reporting-MTA: dns; mta.example\nArrival-Date: Mon, 2 Nov 2026 10:00:00 +0000\n"
    return multipart(
        ("text/plain", text),
        ("message/delivery-status", f"{about}\n{status}\n"),
        ("message/rfc822", returned),
        **fields,
    )


def complaint(report: str, returned: str = RETURNED) -> bytes:
    """A report in the abuse reporting format (RFC 5965)."""
    return multipart(
        ("text/plain", "This is an email abuse report."),
        ("message/feedback-report", report),
        ("message/rfc822", returned),
        kind="report; report-type=feedback-report",
        From="feedback@provider.example",
        Subject="FW: Hello",
    )
