"""Automatic answers, challenges, requests, and mails of people."""

import pytest

from services.bounce.inbound.mail import MailKind
from services.bounce.inbound.reading import read
from tests.unit.bounce.inbound.mails import RETURNED, mail

ANNA = "Anna <anna@shop.example>"


@pytest.mark.parametrize(
    "header",
    [
        {"Auto_Submitted": "auto-replied (vacation)"},
        {"X_Autoreply": "yes"},
        {"Precedence": "auto_reply"},
        {"Subject": "Re: Automatic reply: Hello"},
        {"Subject": "Out of Office: Hello"},
        {"Subject": "Abwesenheitsnotiz"},
        {"Subject": "=?utf-8?B?6Ieq5YuV5b+c562U?="},
        {"Subject": "=?iso-8859-1?Q?R=E9ponse_automatique_:_Hello?="},
    ],
)
def test_an_automatic_answer_is_one_of_its_sender(header: dict[str, str]) -> None:
    found = read(mail("I am away until Monday.", **({"Subject": "Hello"} | header), From=ANNA))

    assert found.kind is MailKind.AUTO_REPLY
    assert [(each.address, each.action) for each in found.recipients] == [("anna@shop.example", None)]


def test_an_automatic_report_of_a_failure_is_a_bounce() -> None:
    text = f"Your mail was rejected.\n\nreason: Mailbox full\naddress: anna@shop.example\n\n{RETURNED}"

    found = read(mail(text, Auto_Submitted="auto-replied", From="postmaster@shop.example"))

    assert found.kind is MailKind.BOUNCE
    assert found.recipients[0].address == "anna@shop.example"


def test_an_answer_that_asks_who_writes_is_a_challenge() -> None:
    text = "Your message is being held. Please confirm that you are a person: click on this link."

    found = read(mail(text, From=ANNA, Subject="Please confirm your message", Return_Path=""))

    assert (found.kind, found.recipients[0].address) == (MailKind.CHALLENGE, "anna@shop.example")


@pytest.mark.parametrize(
    ("header", "text"),
    [
        ({"To": "unsubscribe+abc=123@news.example", "Subject": ""}, ""),
        ({"Subject": "unsubscribe"}, ""),
        ({"Subject": "Re: Hello"}, "\n  Please remove me from your list.\n"),
        ({"Subject": "Abmelden"}, ""),
        ({"Subject": "STOP!"}, ""),
    ],
)
def test_a_request_to_leave(header: dict[str, str], text: str) -> None:
    found = read(mail(text, From=ANNA, Return_Path="<anna@shop.example>", **header))

    assert (found.kind, found.recipients[0].address) == (MailKind.UNSUBSCRIBE, "anna@shop.example")


@pytest.mark.parametrize(
    "header", [{"To": "subscribe@news.example", "Subject": ""}, {"Subject": "subscribe"}]
)
def test_a_request_to_join(header: dict[str, str]) -> None:
    assert read(mail("", From=ANNA, Return_Path="", **header)).kind is MailKind.SUBSCRIBE


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("Re: Hello", "Thanks, when does the shop open?"),
        ("Question", "My friend's mail came back with 550 5.1.1 <bert@shop.example> User unknown. Why?"),
        (
            "What is this?",
            "I got: Final-Recipient: x\n\nFinal-Recipient: rfc822; bert@shop.example\nAction: failed\n",
        ),
        ("Stop by on Monday?", "Leave the parcel at the door."),
        ("Undelivered parcel", "My parcel was not delivered to me."),
        ("Re: your offer", "I subscribed last year. How do I unsubscribe my husband?"),
    ],
)
def test_a_person_s_mail_is_nothing_of_these(subject: str, text: str) -> None:
    found = read(mail(text, From=ANNA, Return_Path="<anna@shop.example>", Subject=subject))

    assert (found.kind, found.recipients) == (MailKind.OTHER, ())
