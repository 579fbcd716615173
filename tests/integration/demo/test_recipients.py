"""Recipients that are trouble, each over a real connection."""

from __future__ import annotations

import pytest

from demo.receiver import Receiver
from tests.integration.demo.conftest import MESSAGE, Connect
from tests.support.clock import ManualClock


@pytest.mark.parametrize(
    ("name", "reply"),
    [
        ("user-unknown", b"550 5.1.1 "),
        ("disabled", b"550 5.2.1 "),
        ("mailbox-full", b"452 4.2.2 "),
        ("mailbox-full-then-ok", b"452 4.2.2 "),
        ("greylist", b"451 4.7.1 "),
        ("always-soft", b"451 4.3.0 "),
        ("policy-block", b"550 5.7.1 "),
        ("relaying-denied", b"554 5.7.1 "),
        ("odd-text", b"550 flurble "),
        ("german", b"550-5.1.1 "),
        ("garbage-reply", b"\xff\xfe\0"),
    ],
)
async def test_refused_at_rcpt(receiver: Receiver, connect: Connect, name: str, reply: bytes) -> None:
    rcpt = f"{name}+1@alpha.example"
    async with connect("alpha.example") as wire:
        await wire.greet()
        await wire.say(b"MAIL FROM:<a@shop.example>")
        said = await wire.say(f"RCPT TO:<{rcpt}>".encode())
        after = await wire.say(b"DATA")
        await wire.say(b"RSET")
        next_message = await wire.message("ok@alpha.example")

    assert said.startswith(reply)
    assert after.startswith(b"554 ")
    assert next_message.startswith(b"250 ")
    (refusal,) = receiver.journal.refused(rcpt)
    assert refusal.stage == "RCPT"
    assert refusal.reply.encode("utf-8", "surrogateescape") + b"\r\n" == said
    assert receiver.journal.accepted(rcpt) == []


async def test_german_is_one_reply_in_several_lines_of_utf_8(connect: Connect) -> None:
    async with connect("alpha.example") as wire:
        await wire.greet()
        await wire.say(b"MAIL FROM:<a@shop.example>")
        said = await wire.say(b"RCPT TO:<german@alpha.example>")

    assert said.count(b"\r\n") == 3
    assert "Der Empfänger <german@alpha.example> ist hier unbekannt." in said.decode()


@pytest.mark.parametrize(
    ("name", "reply"),
    [("spam-block", b"554 5.7.1 "), ("too-big", b"552 5.3.4 "), ("soft-at-dot-once", b"451 4.3.0 ")],
)
async def test_refused_after_the_content(
    receiver: Receiver, connect: Connect, name: str, reply: bytes
) -> None:
    rcpt = f"{name}@alpha.example"
    async with connect("alpha.example") as wire:
        await wire.greet()
        said = await wire.message(rcpt)
        next_message = await wire.message("ok@alpha.example")

    assert said.startswith(reply)
    assert next_message.startswith(b"250 ")
    assert [refusal.stage for refusal in receiver.journal.refused(rcpt)] == ["DOT"]
    assert receiver.journal.accepted(rcpt) == []


@pytest.mark.parametrize("name", ["mailbox-full-then-ok", "greylist", "soft-at-dot-once"])
async def test_the_next_attempt_goes_well(
    receiver: Receiver, connect: Connect, clock: ManualClock, name: str
) -> None:
    rcpt = f"{name}@alpha.example"
    for _ in range(2):
        async with connect("alpha.example") as wire:
            await wire.greet()
            await wire.say(b"MAIL FROM:<a@shop.example>")
            if (await wire.say(f"RCPT TO:<{rcpt}>".encode())).startswith(b"250 "):
                await wire.say(b"DATA")
                await wire.say(MESSAGE + b".")
        clock.advance(60)

    assert len(receiver.journal.refused(rcpt)) == 1
    assert len(receiver.journal.accepted(rcpt)) == 1


async def test_busy_says_421_and_hangs_up(connect: Connect) -> None:
    async with connect("alpha.example") as wire:
        await wire.greet()
        await wire.say(b"MAIL FROM:<a@shop.example>")

        assert (await wire.say(b"RCPT TO:<busy@alpha.example>")).startswith(b"421 4.3.2 ")
        assert await wire.line() == b""


async def test_drop_at_data_hangs_up_without_a_word(receiver: Receiver, connect: Connect) -> None:
    async with connect("alpha.example") as wire:
        await wire.greet()

        assert await wire.up_to_data("drop-at-data@alpha.example") == b""
    (refusal,) = receiver.journal.refused("drop-at-data@alpha.example")
    assert (refusal.stage, refusal.reply) == ("DATA", "")


async def test_drop_after_dot_has_the_message_and_does_not_say_so(
    receiver: Receiver, connect: Connect
) -> None:
    rcpt = "drop-after-dot-once@alpha.example"
    replies = []
    for _ in range(2):
        async with connect("alpha.example") as wire:
            await wire.greet()
            replies.append(await wire.message(rcpt))

    assert replies[0] == b""
    assert replies[1].startswith(b"250 ")
    assert [message.answered for message in receiver.journal.accepted(rcpt)] == [False, True]
    assert {message.content for message in receiver.journal.accepted(rcpt)} == {MESSAGE}


async def test_two_replies_make_all_later_ones_late(receiver: Receiver, connect: Connect) -> None:
    async with connect("alpha.example") as wire:
        await wire.greet()
        assert await wire.message("two-replies@alpha.example") == b"250 2.0.0 Ok: queued\r\n"
        assert await wire.say(b"MAIL FROM:<a@shop.example>") == b"250 2.0.0 Ok: queued\r\n"
        assert (await wire.say(b"RCPT TO:<user-unknown@alpha.example>")).startswith(b"250 2.1.0 ")
        assert (await wire.say(b"DATA")).startswith(b"550 5.1.1 ")

    assert len(receiver.journal.accepted("two-replies@alpha.example")) == 1


async def test_slow_holds_up_its_own_connection_only(receiver: Receiver, connect: Connect) -> None:
    async with connect("alpha.example") as slow, connect("alpha.example") as quick:
        await slow.greet()
        await quick.greet()
        await slow.up_to_data("slow@alpha.example")
        slow.send(MESSAGE + b".\r\n")
        assert (await quick.message("ok@alpha.example")).startswith(b"250 ")
        assert (await slow.reply()).startswith(b"250 ")

    assert len(receiver.journal.accepted("slow@alpha.example")) == 1


async def test_hang_after_dot_never_answers(receiver: Receiver, connect: Connect) -> None:
    async with connect("alpha.example") as wire:
        await wire.greet()
        await wire.up_to_data("hang-after-dot@alpha.example")
        wire.send(MESSAGE + b".\r\n")
        with pytest.raises(TimeoutError):
            await wire.say_within(b"NOOP", 0.2)

    assert receiver.journal.messages == []
