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
