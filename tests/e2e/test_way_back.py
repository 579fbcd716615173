"""A receiver accepts a message, and it comes back by mail: E6 to E8, from the envelope to the figures."""

from __future__ import annotations

import asyncio
import json
import os
from datetime import timedelta
from pathlib import Path

import pytest

from emta.bounce.v1.inbound_service_pb2 import FoundBy, InboundEffect, InboundReport, QualifyInboundItem
from emta.feedback.v1.delivery_pb2 import DeliveryKpis
from emta.feedback.v1.log_pb2 import LogStatus
from emta.relay.v1.message_pb2 import Message, ReturnPath, ReturnPathMode
from emta.return_path import MessageName, ReturnPaths
from tests.e2e.command import emta, start
from tests.e2e.conftest import CONTENT, World, message
from tests.support import returned

KEY, OLD_KEY = "a-key-for-tests-that-nobody-else-has", "an-older-key-that-is-believed-as-well"
RECIPIENT = "ok@alpha.example"
DOMAIN = "bounces.shop.example"
SENT, FAILED = LogStatus.LOG_STATUS_SENT, LogStatus.LOG_STATUS_FAILED


@pytest.fixture
def environ() -> dict[str, str]:
    return {"EMTA_RELAY_RETURN_PATH_KEY": KEY, "EMTA_BOUNCE_RETURN_PATH_KEY": f"{KEY},{OLD_KEY}"}


def signed(message_id: str = "m1", recipient: str = RECIPIENT) -> Message:
    """A message that asks for a signed return path."""
    verp = ReturnPath(mode=ReturnPathMode.RETURN_PATH_MODE_VERP, domain=DOMAIN)
    return message(recipient, message_id, return_path=verp)


async def sent(world: World, told: Message) -> str:
    """Have a message accepted by its receiver; gives the envelope sender that the receiver saw."""
    await world.submit(told)
    await world.until(SENT, told.message_id)
    return world.receiver.journal.accepted(told.rcpt_to)[-1].mail_from


async def comes_back(world: World, mail: bytes, to: str = "bounces@shop.example") -> InboundReport:
    """A mail arrives at an address of ours."""
    (result,) = await world.client.inbound([QualifyInboundItem(content=mail, envelope_recipient=to)])
    assert result.WhichOneof("result") == "report", result
    return result.report


async def figures(world: World) -> DeliveryKpis:
    kpis = await world.client.kpis("d1")
    kpis.ClearField("read_time")
    return kpis


async def test_the_receiver_sees_a_sender_that_names_the_message(world: World) -> None:
    sender = await sent(world, signed())

    local, _, domain = sender.partition("@")
    assert domain == DOMAIN
    assert len(local) <= 64
    assert ReturnPaths.parse(KEY).read(local) == MessageName("default", "d1", "m1")


async def test_a_bounce_to_it_turns_the_message_to_failed_once(world: World) -> None:
    sender = await sent(world, signed())
    before = await figures(world)
    bounce = returned.dsn(RECIPIENT)

    report = await comes_back(world, bounce, sender.upper())
    after = await figures(world)
    again = await comes_back(world, bounce, sender)

    assert report.recipients[0].effect == InboundEffect.INBOUND_EFFECT_FAILED
    assert (await world.entry()).status == FAILED
    assert (before.sent, before.failed) == (1, 0)
    assert (after.sent, after.failed, after.success_percent) == (0, 1, 0)
    assert again.recipients[0].effect == InboundEffect.INBOUND_EFFECT_DUPLICATE
    assert await figures(world) == after


async def test_a_bounce_after_eight_days_is_recorded_only(world: World) -> None:
    sender = await sent(world, signed())
    before = await figures(world)
    world.clock.advance(timedelta(days=8).total_seconds())

    report = await comes_back(world, returned.dsn(RECIPIENT), sender)

    assert report.recipients[0].effect == InboundEffect.INBOUND_EFFECT_RECORDED
    assert (await world.entry()).status == SENT
    assert await figures(world) == before


async def test_events_of_a_bounce_carry_the_original_delivery(world: World) -> None:
    sender = await sent(world, signed())
    world.clock.advance(timedelta(days=6).total_seconds())
    await world.client.open_delivery("another-week")

    await comes_back(world, returned.dsn(RECIPIENT), sender)

    event = (await world.events())[-1]
    assert (event.outcome.delivery_id, event.outcome.message_id) == ("d1", "m1")
    assert (event.status_before, event.status_after) == (SENT, FAILED)
    assert event.outcome.recipient == RECIPIENT
    assert (event.delivery_sent, event.delivery_to_deliver) == (0, 1)


async def test_a_complaint_leaves_the_message_sent_and_is_told(world: World) -> None:
    sender = await sent(world, signed())

    await comes_back(world, returned.complaint(sender))

    assert (await world.entry()).status == SENT
    kpis = await figures(world)
    assert (kpis.sent, kpis.success_percent, kpis.complaints) == (1, 100, 1)
    assert (await world.events())[-1].outcome.complaint.address_event.campaign_reason == 8


async def test_an_automatic_answer_has_no_effect(world: World) -> None:
    sender = await sent(world, signed())
    before = await figures(world), await world.entry()

    await comes_back(world, returned.vacation(RECIPIENT), sender)

    assert (await figures(world), await world.entry()) == before


async def test_a_forged_return_path_has_no_effect_and_is_counted(world: World) -> None:
    await sent(world, signed())
    before = await figures(world), await world.entry()
    forger = ReturnPaths.parse("a-key-that-somebody-has-made-up-himself")
    address = f"{forger.local_part(MessageName('default', 'd1', 'm1'))}@{DOMAIN}"

    report = await comes_back(world, returned.dsn(RECIPIENT), address)

    assert report.forged_return_path
    assert report.recipients[0].found_by == FoundBy.FOUND_BY_UNSPECIFIED
    assert (await figures(world), await world.entry()) == before


async def test_an_older_key_is_believed_while_it_is_kept(world: World) -> None:
    await sent(world, signed())
    before = ReturnPaths.parse(OLD_KEY)
    address = f"{before.local_part(MessageName('default', 'd1', 'm1'))}@{DOMAIN}"

    await comes_back(world, returned.dsn(RECIPIENT), address)

    assert (await world.entry()).status == FAILED


async def test_without_a_signed_return_path_the_message_id_tells(world: World) -> None:
    own = CONTENT.replace(b"Subject:", b"Message-ID: <m1.d1@shop.example>\r\nSubject:")
    await sent(world, message(RECIPIENT, content=own))

    report = await comes_back(world, returned.dsn(RECIPIENT, message_id="<m1.d1@shop.example>"))

    assert report.recipients[0].found_by == FoundBy.FOUND_BY_MESSAGE_ID
    assert (await world.entry()).status == FAILED


async def test_without_that_the_recipient_and_the_time_tell(world: World) -> None:
    await sent(world, message(RECIPIENT))

    report = await comes_back(world, returned.dsn(RECIPIENT))

    assert report.recipients[0].found_by == FoundBy.FOUND_BY_RECIPIENT
    assert (await world.entry()).status == FAILED


async def test_the_command_sends_with_signed_return_paths(world: World, tmp_path: Path) -> None:
    (tmp_path / "message.eml").write_bytes(CONTENT)
    (tmp_path / "people.csv").write_text(f"id,email\n4711,{RECIPIENT}\n")
    files = ("--eml", "message.eml", "--recipients", "people.csv")

    code, _, err = await emta(world, tmp_path, "send", "--delivery", "d1", *files, "--return-path", DOMAIN)

    assert (code, err) == (0, "")
    sender = world.receiver.journal.accepted(RECIPIENT)[-1].mail_from
    assert ReturnPaths.parse(KEY).read(sender) == MessageName("default", "d1", "4711")
    assert (await world.entry("4711")).signed_return_path


async def test_a_mail_server_pipes_a_bounce_into_the_command(world: World, tmp_path: Path) -> None:
    sender = await sent(world, signed())
    process = await start(world, tmp_path, "inbound", "-", "--recipient", sender, stdin=True)

    out, err = await process.communicate(returned.dsn(RECIPIENT))

    assert (process.returncode, err) == (0, b"")
    assert "Hard / User unknown, message m1 of d1 (by return path): Failed" in out.decode()
    assert (await world.entry()).status == FAILED


async def test_a_maildir_is_drained_and_what_cannot_be_read_stays(world: World, tmp_path: Path) -> None:
    sender = await sent(world, signed())
    for part in ("tmp", "new", "cur"):
        (tmp_path / part).mkdir()
    (tmp_path / "new" / "bounce").write_bytes(returned.dsn(RECIPIENT, to=sender))
    (tmp_path / "cur" / "personal").write_bytes(returned.personal())
    (tmp_path / "cur" / "huge").write_bytes(b"a" * 1_100_000)
    (tmp_path / "tmp" / "coming").write_bytes(b"half a ma")
    (tmp_path / "people").mkdir()

    code, out, err = await emta(world, tmp_path, "inbound", str(tmp_path), "--remove", "--other", "people")

    def kept() -> list[Path]:
        return list((tmp_path / "people").iterdir())

    assert (code, err) == (2, "")
    assert "MAIL_OVER_LIMIT" in out
    assert not (tmp_path / "new" / "bounce").exists()
    assert not (tmp_path / "cur" / "personal").exists()
    assert [file.read_bytes() for file in await asyncio.to_thread(kept)] == [returned.personal()]
    assert (tmp_path / "cur" / "huge").exists()
    assert (tmp_path / "tmp" / "coming").exists()
    assert (await world.entry()).status == FAILED


async def test_a_file_that_cannot_be_read_holds_up_no_other(world: World, tmp_path: Path) -> None:
    sender = await sent(world, signed())
    folder = tmp_path / "mails"
    folder.mkdir()
    (folder / "bounce").write_bytes(returned.dsn(RECIPIENT, to=sender))
    # What even root cannot read from its start.
    (folder / "closed").symlink_to("/proc/self/mem")

    code, out, err = await emta(world, tmp_path, "inbound", "mails", "--remove")

    assert (code, err) == (2, "emta: mails/closed: Input/output error\n")
    assert out.startswith("mails/bounce: bounce\n")
    assert (await world.entry()).status == FAILED
    assert not (folder / "bounce").exists()


async def test_a_file_that_cannot_be_removed_is_said(world: World, tmp_path: Path) -> None:
    # What even root cannot remove.
    code, out, err = await emta(world, tmp_path, "inbound", "/proc/version", "--remove")

    assert (code, out) == (2, "/proc/version: other\n")
    assert err.startswith("emta: /proc/version: cannot be removed: ")
    assert err.count("\n") == 1


async def test_a_file_s_name_may_be_in_no_encoding(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8:strict")
    (tmp_path / os.fsdecode(b"ma\xffil")).write_bytes(returned.personal())

    code, out, err = await emta(world, tmp_path, "inbound", ".", "--json")

    assert (code, err) == (0, "")
    assert json.loads(out)["mail"]["file"] == r"ma\xffil"


async def test_an_mbox_is_taken_apart_and_stays(world: World, tmp_path: Path) -> None:
    sender = await sent(world, signed())
    mails = [returned.personal(), returned.dsn(RECIPIENT, to=sender)]
    separator = b"From MAILER-DAEMON Mon Nov  2 10:00:00 2026\n"
    (tmp_path / "box").write_bytes(b"\n\n".join(separator + mail for mail in mails))

    code, out, err = await emta(world, tmp_path, "inbound", "box", "--remove")

    assert (code, err) == (0, "")
    assert out.startswith("box: other\nbox, mail 2: bounce\n")
    assert (await world.entry()).status == FAILED
    assert (tmp_path / "box").exists()


async def test_while_bounce_is_away_the_mail_server_is_told_to_try_again(
    world: World, tmp_path: Path
) -> None:
    (tmp_path / "mail").write_bytes(returned.personal())
    world.addresses["bounce"] = "127.0.0.1:1"

    code, out, _ = await emta(world, tmp_path, "inbound", "mail", "--remove")

    assert code == 75
    assert "Bounce at 127.0.0.1:1 does not answer" in out
    assert (tmp_path / "mail").exists()


async def test_a_wrong_address_of_bounce_costs_no_mail(world: World, tmp_path: Path) -> None:
    (tmp_path / "mail").write_bytes(returned.personal())
    world.addresses["bounce"] = "localhost"

    code, _, err = await emta(world, tmp_path, "inbound", "mail", "--remove")

    assert (code, err) == (75, "emta: EMTA_CLIENT_BOUNCE: 'localhost' is not host:port\n")
    assert (tmp_path / "mail").exists()


async def test_messages_are_found_by_recipient_and_message_id(world: World, tmp_path: Path) -> None:
    own = CONTENT.replace(b"Subject:", b"Message-ID: <m1.d1@shop.example>\r\nSubject:")
    await sent(world, message(RECIPIENT, content=own))

    for what in (RECIPIENT, "<m1.d1@shop.example>"):
        code, out, err = await emta(world, tmp_path, "find", what)
        assert (code, err) == (0, "")
        assert "Sent" in out
        assert RECIPIENT in out
    code, out, _ = await emta(world, tmp_path, "find", "<else@shop.example>")
    assert (code, out) == (0, "No message of the last twelve days.\n")
