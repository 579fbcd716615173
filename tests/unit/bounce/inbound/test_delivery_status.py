"""Delivery status notifications (RFC 3464)."""

from base64 import b64encode
from codecs import BOM_UTF8
from datetime import UTC, datetime

import pytest

from services.bounce.inbound.mail import Action, MailKind, Original
from services.bounce.inbound.reading import read
from tests.unit.bounce.inbound.mails import RETURNED, SENDER, dsn, mail, multipart

FAILED = """\
Original-Recipient: rfc822;Anna@shop.example
Final-Recipient: RFC822; anna@inner.shop.example
Action: failed
Status: 5.1.1 (bad mailbox)
Remote-MTA: dns; MX.shop.example (192.0.2.1)
Diagnostic-Code: smtp; 550 5.1.1 <anna@inner.shop.example>:
    User unknown
"""


def test_a_failure_is_read_field_by_field() -> None:
    found = read(dsn(FAILED, Delivered_To="inbox@news.example"))

    assert found.kind is MailKind.BOUNCE
    [recipient] = found.recipients
    assert recipient.address == "anna@inner.shop.example"
    assert recipient.original_address == "Anna@shop.example"
    assert recipient.action is Action.FAILED
    assert (recipient.reply_code, recipient.status) == (550, "5.1.1")
    assert recipient.text == "<anna@inner.shop.example>: User unknown"
    assert recipient.remote_mta == "mx.shop.example"
    assert found.reporting_mta == "mta.example"
    assert found.arrival_date == datetime(2026, 11, 2, 10, tzinfo=UTC)
    assert found.arrived_at == ("inbox@news.example", SENDER)
    assert found.message_id == "<r1@mta.example>"
    assert found.original == Original("<m1@news.example>", SENDER, ("anna@shop.example",))


def test_each_recipient_is_read() -> None:
    other = FAILED.replace("anna@", "bert@").replace("failed", "delayed").replace("5.1.1", "4.4.1")

    found = read(dsn(f"{FAILED}\n{other}"))

    assert [(each.address, each.action) for each in found.recipients] == [
        ("anna@inner.shop.example", Action.FAILED),
        ("bert@inner.shop.example", Action.DELAYED),
    ]


def test_a_forgotten_empty_line_between_recipients_is_none() -> None:
    two = "Final-Recipient: rfc822;a@shop.example\nAction: failed\nFinal-Recipient: rfc822;b@shop.example\n"

    assert [each.address for each in read(dsn(two)).recipients] == ["a@shop.example", "b@shop.example"]


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded", "delayed", "failed"])
def test_actions(action: str) -> None:
    [recipient] = read(dsn(FAILED.replace("failed", action.title()))).recipients

    assert recipient.action is not None
    assert recipient.action.value == action


def test_what_was_said_beats_a_status_without_detail() -> None:
    [recipient] = read(dsn(FAILED.replace("Status: 5.1.1 (bad mailbox)", "Status: 5.0.0"))).recipients

    assert recipient.status == "5.1.1"


def test_what_the_fields_leave_out_stands_in_the_words_for_people() -> None:
    bare = "Final-Recipient: rfc822;anna@shop.example\nAction: failed\nStatus: 5.0.0\n"
    words = (
        "anna@shop.example\nRemote Server returned '550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found'"
    )

    [recipient] = read(dsn(bare, words)).recipients

    assert recipient.reply_code == 550
    assert "RecipientNotFound" in recipient.text


def test_a_status_amid_the_words_for_people_is_read() -> None:
    found = read(mail(f"An error occurred.\n\nReporting-MTA: dns; mta.example\n\n{FAILED}"))

    assert found.recipients[0].status == "5.1.1"
    assert found.reporting_mta == "mta.example"


def test_an_internationalised_address_is_decoded() -> None:
    status = "Final-Recipient: utf-8; j\\x{F6}rg@shop.example\nAction: failed\nStatus: 5.1.1\n"

    assert read(dsn(status)).recipients[0].address == "jörg@shop.example"


def test_only_the_header_of_the_original_is_enough() -> None:
    header = RETURNED.partition("\n\n")[0]
    raw = multipart(
        ("text/plain", "See below."),
        ("message/delivery-status", f"Reporting-MTA: dns; mta.example\n\n{FAILED}"),
        ("text/rfc822-headers", header),
    )

    assert read(raw).original.message_id == "<m1@news.example>"


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n", b"\r"])
def test_line_ends_do_not_matter(line_end: bytes) -> None:
    assert read(dsn(FAILED).replace(b"\n", line_end)) == read(dsn(FAILED))


def test_a_byte_order_mark_of_whoever_saved_the_mail_does_not_matter() -> None:
    assert read(BOM_UTF8 + dsn(FAILED)) == read(dsn(FAILED))


def test_a_lost_boundary_is_found() -> None:
    raw = dsn(FAILED).replace(b'; boundary="b1"', b"")

    assert read(raw).recipients[0].address == "anna@inner.shop.example"


def test_a_report_in_base64_is_read() -> None:
    status = b64encode(f"Reporting-MTA: dns; mta.example\n\n{FAILED}".encode()).decode()
    raw = multipart(
        ("text/plain", "See below."),
        ("message/delivery-status\nContent-Transfer-Encoding: base64", status),
    )

    assert read(raw).recipients[0].status == "5.1.1"


def test_a_recipient_without_a_domain_stands_in_the_words_or_the_returned_message() -> None:
    local = "Final-Recipient: rfc822; anna\nAction: failed\nStatus: 5.1.1\n"

    assert read(dsn(local)).recipients[0].address == "anna@shop.example"


def test_a_report_that_a_program_passes_on_is_read() -> None:
    words = "It could not be delivered. Please contact <support@isp.example>.\n\nAsk <support@isp.example>"
    report = dsn(FAILED).decode().replace("b1", "b2")

    inside = read(mail(f"{words}\n\n{report}"))
    attached = read(multipart(("text/plain", words), ("message/rfc822", report), kind="mixed"))

    assert inside == attached
    assert [each.address for each in inside.recipients] == ["anna@inner.shop.example"]
    assert inside.arrived_at == (SENDER,)
