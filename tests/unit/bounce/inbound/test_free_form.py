"""Bounces in the layouts of programs that follow no standard."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from services.bounce.inbound.mail import Action, MailKind
from services.bounce.inbound.reading import read
from tests.unit.bounce.inbound.mails import RETURNED, mail

LAYOUTS = tomllib.loads(Path(__file__).with_name("layouts.toml").read_text("utf-8"))["layout"]


@pytest.mark.parametrize("layout", LAYOUTS, ids=[layout["name"] for layout in LAYOUTS])
def test_layout(layout: dict[str, Any]) -> None:
    found = read(mail(f"{layout['text']}\n{RETURNED}", **layout.get("field", {})))

    assert found.kind is MailKind.BOUNCE
    expected = layout.get("recipients") or [layout["recipient"]]
    assert [recipient.address for recipient in found.recipients] == expected
    first = found.recipients[0]
    assert first.reply_code == layout.get("code", 0)
    assert first.status == layout.get("status", first.status)
    assert layout.get("words", "") in first.text
    assert first.remote_mta == layout.get("remote", first.remote_mta)
    assert first.action is (Action.DELAYED if layout.get("delayed") else Action.FAILED)
    assert found.original.message_id == "<m1@news.example>"


@pytest.mark.parametrize(
    ("words", "phase"),
    [
        ("host mx[192.0.2.1] said: 550 no (in reply to MAIL FROM command)", "mail"),
        ("host mx[192.0.2.1] said: 550 no (in reply to RCPT TO command)", "rcpt"),
        ("host mx[192.0.2.1] said: 550 no (in reply to end of DATA command)", "dot"),
        ("SMTP error from remote mail server after MAIL FROM:<bounce+1@news.example>:\n550 no", "mail"),
        ("SMTP error from remote mail server after end of data:\n550 no", "dot"),
        ("SMTP error from remote mail server after initial connection:\n550 no", "connect"),
        (">>> MAIL From:<bounce+1@news.example>\n<<< 250 ok\n>>> RCPT To:<x>\n<<< 550 no", "rcpt"),
        ("mx [192.0.2.1] did not like our RCPT TO:\n550 no", "rcpt"),
        ("192.0.2.1 failed after I sent the message.\nRemote host said: 550 no", "dot"),
        ("550 no", ""),
    ],
)
def test_where_in_smtp_it_was_said(words: str, phase: str) -> None:
    assert read(mail(f"<anna@shop.example>:\n{words}\n")).recipients[0].phase == phase
