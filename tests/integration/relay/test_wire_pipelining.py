"""Commands in groups (RFC 2920): one round trip a message, and what becomes of a group that fails."""

from __future__ import annotations

import asyncio

import pytest

from emta.bounce.v1.smtp_reply_pb2 import FailureKind as Kind
from emta.bounce.v1.smtp_reply_pb2 import SmtpPhase as Phase
from services.relay.transaction import Delivered, Refused, Transaction
from tests.integration.relay.demo_session import demo_session
from tests.integration.relay.scripted_server import SILENCE, Reply
from tests.integration.relay.scripted_world import DOMAIN, Manner, World, message
from tests.support.clock import ManualClock
from tests.support.eventually import eventually

PIPELINED = Manner(tls=False, pipelining=True)
ONE_BY_ONE = Manner(tls=False, pipelining=False)


@pytest.mark.parametrize("tls", [False, True], ids=["clear", "TLS"])
async def test_the_server_need_not_answer_before_it_has_the_group(world: World, tls: bool) -> None:
    # Answers wait for the whole group; that to the dot waits for the next group.
    server = await world.speak(
        Manner(tls, pipelining=True),
        MAIL=SILENCE,
        RCPT=SILENCE,
        DATA=[b"250 mail\r\n250 rcpt\r\n354 go\r\n", b"250 dot\r\n250 mail\r\n250 rcpt\r\n354 go\r\n"],
        DOT=[SILENCE, b"250 dot\r\n"],
    )
    session = await world.open()
    first, second = message(1), message(2)
    result = await session.send(first, lambda: second)
    assert isinstance(result, Delivered)
    assert result.reply_text == "250 dot"
    assert isinstance(await session.send(second), Delivered)
    assert server.transcript[-8:] == ["MAIL", "RCPT", "DATA", "DOT"] * 2
    assert len(server.contents) == 2


async def test_nothing_is_announced_to_a_server_without_pipelining(world: World) -> None:
    server = await world.speak(ONE_BY_ONE, DOT=b"250 ok\r\n")
    session = await world.open()
    asked: list[None] = []
    assert isinstance(await session.send(message(), lambda: asked.append(None)), Delivered)
    assert asked == []
    assert server.transcript == ["EHLO", "MAIL", "RCPT", "DATA", "DOT"]


async def test_each_message_has_its_own_reply_and_recipient_domain(world: World) -> None:
    await world.speak(PIPELINED, RCPT=[b"550 one\r\n", b"551 two\r\n"], DATA=b"554 none\r\n")
    session = await world.open()
    for number, domain in enumerate(["one.example", "two.example"]):
        result = await session.send(Transaction("", f"to@{domain}", b"", b"x\r\n", False, False))
        assert isinstance(result, Refused)
        assert (result.reply.code, result.reply.recipient_domain) == (550 + number, domain)


async def test_what_is_announced_is_asked_for_once_and_up_to_the_limit(world: World) -> None:
    server = await world.speak(PIPELINED)
    session = await world.open(world.connector(messages=3))
    messages = [message(number) for number in range(4)]
    asked: list[Transaction] = []

    def announce(number: int) -> Transaction:
        asked.append(messages[number])
        return messages[number]

    for number in range(3):
        result = await session.send(messages[number], lambda number=number: announce(number + 1))
        assert isinstance(result, Delivered)
    assert asked == messages[1:3]
    assert not session.usable
    await session.close()
    assert server.verbs.count("MAIL") == 3
    assert server.verbs[-1] == "QUIT"


async def test_another_message_than_the_announced_one_is_a_mistake(world: World) -> None:
    server = await world.speak(PIPELINED)
    session = await world.open()
    announced = message(2)
    assert isinstance(await session.send(message(1), lambda: announced), Delivered)
    # Equal is not the same, and trying again does not make it so: it would go to the wrong recipient.
    for _ in range(2):
        with pytest.raises(ValueError, match="announced"):
            await session.send(message(2))
    assert len(server.contents) == 1
    assert isinstance(await session.send(announced), Delivered)
    assert server.verbs.count("MAIL") == 2


async def test_who_announces_nothing_may_send_anything(world: World) -> None:
    server = await world.speak(PIPELINED)
    session = await world.open()
    assert isinstance(await session.send(message(1), lambda: None), Delivered)
    assert isinstance(await session.send(message(2)), Delivered)
    assert server.transcript == ["EHLO", *["MAIL", "RCPT", "DATA", "DOT"] * 2]


async def test_an_announced_message_that_the_server_cannot_take_costs_nothing(world: World) -> None:
    server = await world.speak(PIPELINED)
    session = await world.open()
    needy = Transaction("", f"ü@{DOMAIN}", b"", b"x\r\n", False, True)
    assert isinstance(await session.send(message(1), lambda: needy), Delivered)
    result = await session.send(needy)
    assert isinstance(result, Refused)
    assert result.reply.failure == Kind.FAILURE_KIND_EXTENSION_MISSING
    assert isinstance(await session.send(message(2)), Delivered)
    assert server.verbs.count("MAIL") == 2


async def test_a_session_may_be_closed_over_an_announced_message(world: World) -> None:
    server = await world.speak(PIPELINED)
    session = await world.open()
    assert isinstance(await session.send(message(1), lambda: message(2)), Delivered)
    await session.close()

    async def is_closed() -> bool:
        return server.open == 0

    await eventually(is_closed)
    # QUIT would be content: the server waits for one.
    assert "QUIT" not in server.verbs
    assert len(server.contents) == 1


LONE_DOTS: dict[str, bytes] = {
    "taken": b"250 queued for nobody\r\n",
    "refused": b"554 5.5.1 no recipients\r\n",
}


@pytest.mark.parametrize("stage", ["MAIL", "RCPT"])
@pytest.mark.parametrize("answer", LONE_DOTS.values(), ids=LONE_DOTS)
async def test_a_content_for_nobody_is_a_lone_dot_and_no_delivery(
    world: World, stage: str, answer: bytes
) -> None:
    server = await world.speak(
        PIPELINED, **{stage: [b"550 5.1.1 no\r\n", b"250 ok\r\n"], "DOT": [answer, b"250 ok\r\n"]}
    )
    session = await world.open()
    result = await session.send(message(1), lambda: pytest.fail("there is no dot to announce behind"))
    assert isinstance(result, Refused)
    assert (result.reply.code, result.reply.enhanced_code) == (550, "5.1.1")
    assert server.contents == [b".\r\n"]
    assert session.usable
    assert isinstance(await session.send(message(2)), Delivered)
    assert server.connections == 1


@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA"])
async def test_an_announced_message_that_is_refused_leaves_room_for_the_next(
    world: World, stage: str
) -> None:
    usual = b"354 go\r\n" if stage == "DATA" else b"250 ok\r\n"
    replies: dict[str, Reply | list[Reply]] = {stage: [usual, b"451 4.7.1 greylisted\r\n", usual]}
    if stage != "DATA":
        replies["DATA"] = [b"354 go\r\n", b"503 5.5.1 no recipients\r\n", b"354 go\r\n"]
    server = await world.speak(PIPELINED, **replies)
    session = await world.open()
    first, second, third = message(1), message(2), message(3)
    assert isinstance(await session.send(first, lambda: second), Delivered)
    refused = await session.send(second, lambda: third)
    assert isinstance(refused, Refused)
    assert (refused.reply.code, refused.reply.enhanced_code) == (451, "4.7.1")
    assert isinstance(await session.send(third), Delivered)
    assert server.connections == 1
    assert len(server.contents) == 2


async def test_a_message_refused_at_its_dot_does_not_touch_the_announced_one(world: World) -> None:
    server = await world.speak(PIPELINED, DOT=[b"552 5.3.4 too big\r\n", b"250 ok\r\n"])
    session = await world.open()
    second = message(2)
    refused = await session.send(message(1), lambda: second)
    assert isinstance(refused, Refused)
    assert (refused.reply.phase, refused.reply.code) == (Phase.SMTP_PHASE_DOT, 552)
    assert isinstance(await session.send(second), Delivered)
    assert server.connections == 1


async def test_a_cancelled_transaction_gives_up_what_was_announced(world: World) -> None:
    server = await world.speak(
        PIPELINED,
        DOT=SILENCE,
        **{verb: [b"250 ok\r\n", SILENCE] for verb in ("MAIL", "RCPT")},
        DATA=[b"354 go\r\n", SILENCE],
    )
    session = await world.open()
    second = message(2)
    sending = asyncio.create_task(session.send(message(1), lambda: second))

    async def is_announced() -> bool:
        return server.verbs.count("MAIL") == 2

    await eventually(is_announced)
    sending.cancel()
    await asyncio.wait([sending])
    assert not session.usable
    result = await session.send(second)
    assert isinstance(result, Refused)
    assert result.reply.failure == Kind.FAILURE_KIND_CONNECTION_LOST
    assert len(server.contents) == 1


@pytest.mark.parametrize("tls", [False, True], ids=["clear", "TLS"])
async def test_the_demo_receiver_finds_no_fault_with_it(clock: ManualClock, tls: bool) -> None:
    async with demo_session(clock, starttls=tls, messages_per_connection=100) as (receiver, session):
        contents = [b"Subject: %d\r\n\r\n.%b\r\n" % (number, b"x" * number) for number in range(50)]
        messages = [
            Transaction("from@emta.example", "ok@new.example", b"", each, False, False) for each in contents
        ]
        for number, each in enumerate(messages, 1):
            coming = messages[number] if number < len(messages) else None
            assert isinstance(await session.send(each, lambda coming=coming: coming), Delivered)
        await session.close()
        accepted = receiver.journal.accepted("ok@new.example")
        assert [entry.content for entry in accepted] == contents
        assert {(entry.session, entry.tls) for entry in accepted} == {(1, "TLSv1.3" if tls else "")}
        assert receiver.journal.violations == []


@pytest.mark.parametrize("tls", [False, True], ids=["clear", "TLS"])
async def test_a_message_is_sent_when_its_dot_is_whatever_is_behind_it(world: World, tls: bool) -> None:
    # The server answers the dot long before it has read the envelope behind it.
    server = await world.speak(Manner(tls, pipelining=True))
    session = await world.open()
    endless = Transaction("", f"{'x' * 20_000_000}@{DOMAIN}", b"", b"x\r\n", False, False)
    # Large enough for us to watch it leave.
    large = message(content=b"x" * 70 + b"\r\n" + b"y\r\n" * 20_000)
    assert isinstance(await session.send(large, lambda: endless), Delivered)
    assert len(server.contents) == 1
