"""Complaints (RFC 5965), what came before the format, and reports that are no complaints."""

import pytest

from services.bounce.inbound.mail import MailKind
from services.bounce.inbound.reading import read
from tests.unit.bounce.inbound.mails import RETURNED, complaint, mail, multipart

REPORT = """\
Feedback-Type: abuse
User-Agent: SomeGenerator/1.0
Version: 1
Original-Mail-From: <bounce+1@news.example>
Original-Rcpt-To: <anna@shop.example>
Arrival-Date: Mon, 2 Nov 2026 10:00:00 +0000
"""


def test_a_complaint_is_read() -> None:
    found = read(complaint(REPORT))

    assert found.kind is MailKind.COMPLAINT
    assert found.feedback_type == "abuse"
    assert [each.address for each in found.recipients] == ["anna@shop.example"]
    assert found.original.message_id == "<m1@news.example>"
    assert found.arrival_date is not None


def test_each_of_several_recipients_complains() -> None:
    found = read(complaint(REPORT + "Original-Rcpt-To: bert@shop.example\n"))

    assert [each.address for each in found.recipients] == ["anna@shop.example", "bert@shop.example"]


@pytest.mark.parametrize("feedback", ["opt-out", "opt-out-list", "fraud", "virus", "other", "unheard-of"])
def test_every_wish_of_a_recipient_is_a_complaint(feedback: str) -> None:
    found = read(complaint(REPORT.replace("abuse", feedback)))

    assert (found.kind, found.feedback_type) == (MailKind.COMPLAINT, feedback)


@pytest.mark.parametrize("feedback", ["auth-failure", "not-spam"])
def test_reports_about_authentication_are_none(feedback: str) -> None:
    assert read(complaint(REPORT.replace("abuse", feedback))).kind is MailKind.AUTHENTICATION


def test_a_blanked_out_recipient_is_the_one_it_was_sent_to() -> None:
    blank = REPORT.replace("<anna@shop.example>", "undisclosed")

    assert read(complaint(blank)).recipients[0].address == "anna@shop.example"


def test_a_recipient_that_nothing_tells_is_empty() -> None:
    found = read(complaint("Feedback-Type: abuse\nVersion: 1\n", "Subject: Hello\n\nHello\n"))

    assert [each.address for each in found.recipients] == [""]


def test_hotmail_names_the_recipient_in_the_returned_message() -> None:
    raw = multipart(
        ("message/rfc822", f"X-HmXmrOriginalRecipient: carl@hotmail.example\n{RETURNED}"),
        kind="mixed",
        From="staff@hotmail.com",
        Subject="complaint about message from 192.0.2.9",
    )

    found = read(raw)

    assert found.kind is MailKind.COMPLAINT
    assert found.recipients[0].address == "carl@hotmail.example"


def test_a_notification_of_a_complaint_is_read() -> None:
    text = (
        '{"notificationType":"Complaint","complaint":{"complainedRecipients":'
        '[{"emailAddress":"anna@shop.example"}]}}\n\n--\nTo stop, click below.\n'
    )

    found = read(mail(text, From="no-reply@sns.example", Subject="Notification", Return_Path=""))

    assert (found.kind, found.recipients[0].address) == (MailKind.COMPLAINT, "anna@shop.example")


@pytest.mark.parametrize(
    "text",
    [
        '{"notificationType":"Bounce","bounce":{"bouncedRecipients":5}}',
        '{"notificationType":"Bounce","bounce":5}',
        '{"notificationType":["Bounce"]}',
        '{"notificationType":' + "[" * 50_000,
        '{"notificationType":' + "9" * 50_000 + "}",
    ],
)
def test_a_notification_that_is_none_says_nothing(text: str) -> None:
    assert read(mail(text, From="no-reply@sns.example", Subject="Notification")).recipients == ()


def test_a_notification_of_a_bounce_is_read() -> None:
    text = (
        '{"notificationType":"Bounce","bounce":{"bounceType":"Permanent","bouncedRecipients":[{"status":"5.1.1",'
        '"emailAddress":"anna@shop.example","diagnosticCode":"smtp; 550 5.1.1 unknown \\ud800 user"}]}}'
    )

    [recipient] = read(mail(text, From="no-reply@sns.example", Subject="Notification")).recipients

    assert (recipient.address, recipient.reply_code, recipient.status) == (
        "anna@shop.example",
        550,
        "5.1.1",
    )
    assert recipient.text == "unknown ? user"
