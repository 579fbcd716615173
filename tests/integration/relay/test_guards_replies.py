"""Servers that answer too much, too long, too slowly, or nonsense (attack rows S15 to S20)."""

from __future__ import annotations

import asyncio
import resource
from dataclasses import replace

import pytest

from emta.bounce.v1.smtp_reply_pb2 import FailureKind as Kind
from emta.bounce.v1.smtp_reply_pb2 import SmtpPhase as Phase
from services.relay.connection import Timeouts
from services.relay.replies import MAX_TEXT, AttemptFailed
from services.relay.session import Session
from services.relay.transaction import Delivered, Refused, Unknown
from tests.integration.relay.scripted_server import (
    HANGS_UP,
    SILENCE,
    Dripping,
    Endless,
    Reply,
    ScriptedServer,
)
from tests.integration.relay.scripted_world import HUGE, MANNERS, PATIENT, Manner, World, message
from tests.support.eventually import eventually

NONSENSE, LOST, TIMEOUT = (
    Kind.FAILURE_KIND_PROTOCOL_ERROR,
    Kind.FAILURE_KIND_CONNECTION_LOST,
    Kind.FAILURE_KIND_TIMEOUT,
)
STAGES = {
    "BANNER": Phase.SMTP_PHASE_CONNECT,
    "EHLO": Phase.SMTP_PHASE_EHLO,
    "MAIL": Phase.SMTP_PHASE_MAIL,
    "RCPT": Phase.SMTP_PHASE_RCPT,
    "DATA": Phase.SMTP_PHASE_DATA,
    "DOT": Phase.SMTP_PHASE_DOT,
}
# Only what a test waits for on purpose is short.
QUICK = Timeouts(connect=5, greeting=0.3, command=0.3, data=5, dot=0.3)


async def closed(server: ScriptedServer) -> None:
    """Wait until the client has closed its connections, of its own accord."""

    async def is_closed() -> bool:
        return server.open == 0

    await eventually(is_closed, "the client to close")


async def failure_at(
    world: World, manner: Manner, stage: str, reply: Reply, timeouts: Timeouts = PATIENT
) -> tuple[type, int, int, str]:
    """Have a message fail by a reply; gives the result's type, phase and failure, and what is told."""
    server = await world.speak(manner, **{stage: reply})
    try:
        session = await world.open(world.connector(timeouts=timeouts))
    except AttemptFailed as failed:
        result: AttemptFailed | Refused | Unknown = failed
    else:
        sent = await session.send(message())
        assert isinstance(sent, Refused | Unknown)
        assert not session.usable
        result = sent
    await closed(server)
    told = result.reply
    assert told.code == 0
    assert (told.phase == Phase.SMTP_PHASE_DOT) is isinstance(result, Unknown)
    return type(result), told.phase, told.failure, told.text


# -- S15: replies without an end

TOO_LONG: dict[str, Reply] = {
    "endless lines": Endless(b"250-x\r\n"),
    "endless lines of nothing": Endless(b"250-\n" * 1000),
    "an endless line": Endless(b"250-" + b"x" * 4096),
    "endless octets that are no line": Endless(b"\x00" * 65536),
    "a long line": b"250 " + b"x" * 8200 + b"\r\n",
    "a long reply": b"250-"
    + b"x" * 1000
    + b"\r\n"
    + (b"250-" + b"y" * 1000 + b"\r\n") * 32
    + b"250 end\r\n",
}


@pytest.mark.parametrize("manner", MANNERS, ids=str)
@pytest.mark.parametrize("reply", TOO_LONG.values(), ids=TOO_LONG)
@pytest.mark.parametrize("stage", ["MAIL", "DOT"])
async def test_replies_without_an_end_are_cut_off(
    world: World, manner: Manner, stage: str, reply: Reply
) -> None:
    _, phase, failure, text = await failure_at(world, manner, stage, reply)
    assert (phase, failure) == (STAGES[stage], NONSENSE)
    assert len(text) <= MAX_TEXT


@pytest.mark.parametrize("reply", TOO_LONG.values(), ids=TOO_LONG)
@pytest.mark.parametrize("stage", ["BANNER", "EHLO"])
async def test_replies_without_an_end_are_cut_off_before_the_first_message(
    world: World, stage: str, reply: Reply
) -> None:
    _, phase, failure, text = await failure_at(world, MANNERS[0], stage, reply)
    assert (phase, failure) == (STAGES[stage], NONSENSE)
    assert len(text) <= MAX_TEXT


@pytest.mark.parametrize("stage", ["BANNER", "EHLO"])
async def test_a_reply_of_very_many_lines_is_cut_off_before_the_first_message(
    world: World, stage: str
) -> None:
    """aiosmtplib reads all of it anew with each line that comes: 6,500 lines one by one take a minute."""
    reply = b"250-x\r\n" * 200 + b"250 end\r\n"
    _, phase, failure, text = await failure_at(world, MANNERS[0], stage, reply)
    assert (phase, failure) == (STAGES[stage], NONSENSE)
    assert len(text) <= MAX_TEXT


async def test_the_longest_reply_that_is_allowed_is_read(world: World) -> None:
    line = b"x" * 8000
    await world.script(DOT=b"250-%b\r\n250-%b\r\n250-%b\r\n250 end\r\n" % (line, line, line))
    assert isinstance(await (await world.open()).send(message()), Delivered)


async def test_a_flood_between_two_messages_is_closed_and_costs_no_memory(world: World) -> None:
    server = ScriptedServer({"RSET": Endless(b"250 more\r\n" * 1000), "RCPT": b"550 no\r\n"})
    await world.site(server)
    session = await world.open()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert isinstance(await session.send(message()), Refused)
    await closed(server)
    assert not session.usable
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 20_000  # KiB


# -- S16: drip, and never ending replies that look alive

SLOW: dict[str, Reply] = {
    "an octet now and then": Dripping(b"250 " + b"x" * 100 + b"\r\n", 0.1),
    "a line now and then": Dripping(b"250-\n" * 100, 0.05),
    "silence": SILENCE,
}


@pytest.mark.parametrize("reply", SLOW.values(), ids=SLOW)
@pytest.mark.parametrize("stage", STAGES)
async def test_the_deadline_is_for_the_whole_reply(world: World, stage: str, reply: Reply) -> None:
    # In a group of commands, the answer to the next one would be taken for this one's.
    manner = Manner(tls=False, pipelining=reply != SILENCE)
    _, phase, failure, _ = await failure_at(world, manner, stage, reply, QUICK)
    assert (phase, failure) == (STAGES[stage], TIMEOUT)


@pytest.mark.parametrize("tls", [False, True], ids=["clear", "TLS"])
async def test_a_content_that_is_read_too_slowly_is_given_up(world: World, tls: bool) -> None:
    manner = Manner(tls=tls, pipelining=True)
    server = await world.speak(manner, DOT=SILENCE)
    server.reads_content = False
    await world.listen(server, "127.0.1.9")  # with the small buffer of those that do not read
    world.zone.add_site("slow.example", [(10, "mx.slow.example", ["127.0.1.9"])])
    timeouts = replace(PATIENT, data=0.2, octets_per_second=1e9)
    session = await world.open(world.connector(timeouts=timeouts), "slow.example")
    asked: list[None] = []
    result = await session.send(HUGE, lambda: asked.append(None))
    assert isinstance(result, Refused)
    assert (result.reply.phase, result.reply.failure) == (Phase.SMTP_PHASE_DATA, TIMEOUT)
    assert not session.usable
    # Its end was never near: nothing was announced behind it.
    assert asked == []


# -- S17: answers that nobody asked for


async def two_messages(session: Session) -> tuple[object, object]:
    first, second = message(1), message(2)
    return await session.send(first, lambda: second), await session.send(second)


SHIFTED = {
    "250": b"250 ok\r\n",
    "550": b"550 5.1.1 of somebody else\r\n",
    "354": b"354 go\r\n",
}


@pytest.mark.parametrize("manner", MANNERS, ids=str)
@pytest.mark.parametrize("extra", SHIFTED.values(), ids=SHIFTED)
async def test_a_second_answer_to_a_dot_is_nobodys(world: World, manner: Manner, extra: bytes) -> None:
    # The second message's recipient is refused: shifted by one, that would look like its DATA's refusal.
    replies: dict[str, Reply | list[Reply]] = {
        "DOT": b"250 ok\r\n" + extra,
        "RCPT": [b"250 ok\r\n", b"550 5.1.1 really\r\n"],
    }
    if manner.pipelining:
        replies["DATA"] = [b"354 go\r\n", b"554 5.5.1 no recipients\r\n"]
    server = await world.speak(manner, **replies)
    session = await world.open()
    first, second = await two_messages(session)
    assert isinstance(first, Delivered)
    assert isinstance(second, Refused)
    assert second.reply.code == 0
    assert second.reply.failure in (NONSENSE, LOST)
    assert not session.usable
    await closed(server)
    assert len(server.contents) == 1


@pytest.mark.parametrize("manner", MANNERS, ids=str)
@pytest.mark.parametrize("extra", SHIFTED.values(), ids=SHIFTED)
@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA"])
async def test_a_second_answer_to_a_command_refuses_nobody(
    world: World, manner: Manner, stage: str, extra: bytes
) -> None:
    usual = b"354 go\r\n" if stage == "DATA" else b"250 ok\r\n"
    server = await world.speak(manner, **{stage: usual + extra})
    session = await world.open()
    result = await session.send(message())
    # Where it looks like the answer to DATA, the server gets the message, and what it answers is not heard.
    shifted_354 = manner.pipelining and stage == "RCPT" and extra.startswith(b"354")
    assert isinstance(result, Unknown if shifted_354 else Refused)
    assert (result.reply.code, result.reply.failure) == (0, NONSENSE)
    assert not session.usable
    await closed(server)
    # Nothing but the dot that ends a DATA, at most.
    assert shifted_354 or all(content == b".\r\n" for content in server.contents)


@pytest.mark.parametrize("tls", [False, True], ids=["clear", "TLS"])
async def test_an_answer_before_the_question_ends_the_session(world: World, tls: bool) -> None:
    manner = Manner(tls, pipelining=True)
    server = await world.speak(
        manner, RSET=b"250 ok\r\n250 as you like\r\n", MAIL=[b"450 later\r\n", b"250 ok\r\n"]
    )
    session = await world.open()
    first = await session.send(message(1))
    assert isinstance(first, Refused)

    async def is_noticed() -> bool:
        return not session.usable

    await eventually(is_noticed)
    second = await session.send(message(2))
    assert isinstance(second, Refused)
    assert second.reply.failure == LOST
    assert server.transcript.count("MAIL") == 1


async def test_an_idle_server_that_says_421_is_left(world: World) -> None:
    server = await world.script(DOT=b"250 ok\r\n421 4.4.2 idle\r\n")
    session = await world.open()
    assert isinstance(await session.send(message(1)), Delivered)
    await closed(server)
    assert not session.usable


# -- S18: what is no reply

# What else is none: tests/unit/relay/test_wire.py.
MALFORMED: dict[str, bytes] = {
    "no code": b"hello\r\n",
    "a sign": b"+25 ok\r\n",
    "class 9": b"999 ok\r\n",
    "four digits": b"2500 ok\r\n",
    "two codes": b"250-first\r\n550 second\r\n",
    "two codes, the other way": b"550-first\r\n250 second\r\n",
}


@pytest.mark.parametrize("manner", MANNERS, ids=str)
@pytest.mark.parametrize("reply", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("stage", ["RCPT", "DOT"])
async def test_what_is_no_reply_is_a_protocol_error(
    world: World, manner: Manner, stage: str, reply: bytes
) -> None:
    _, phase, failure, _ = await failure_at(world, manner, stage, reply)
    assert (phase, failure) == (STAGES[stage], NONSENSE)


@pytest.mark.parametrize("reply", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("stage", ["BANNER", "EHLO"])
async def test_what_is_no_reply_is_a_protocol_error_before_the_first_message(
    world: World, stage: str, reply: bytes
) -> None:
    _, phase, failure, _ = await failure_at(world, MANNERS[0], stage, reply)
    assert (phase, failure) == (STAGES[stage], NONSENSE)


ODD_TEXTS: dict[str, tuple[bytes, str]] = {
    "controls": (b"\x1b[31mred\x00\x07\x7f", r"\x1b[31mred\x00\x07\x7f"),
    "invalid UTF-8": (b"caf\xe9 \xff\xc0\x80", r"caf\xe9 \xff\xc0\x80"),
    "a surrogate": (b"\xed\xa0\x80", r"\xed\xa0\x80"),
    "C1": ("\x85\x9b31m".encode(), r"\x85\x9b31m"),
    "a lone CR": (b"one\rtwo", r"one\x0dtwo"),
    "UTF-8": ("né\u00e0".encode(), "né\u00e0"),
    "too much": (b"z" * 5000, "z" * MAX_TEXT),
    "too much to escape": (b"\x00" * 5000, r"\x00" * (MAX_TEXT // 4)),
}


@pytest.mark.parametrize(("raw", "shown"), ODD_TEXTS.values(), ids=ODD_TEXTS)
@pytest.mark.parametrize("pipelining", [False, True])
async def test_odd_texts_are_shown_escaped(world: World, pipelining: bool, raw: bytes, shown: str) -> None:
    manner = Manner(tls=False, pipelining=pipelining)
    await world.speak(manner, RCPT=b"550 5.1.1 %b\r\n" % raw, DOT=b"250 %b\r\n" % raw)
    result = await (await world.open()).send(message())
    assert isinstance(result, Refused)
    assert (result.reply.code, result.reply.text) == (550, shown)


@pytest.mark.parametrize(("raw", "shown"), ODD_TEXTS.values(), ids=ODD_TEXTS)
async def test_odd_texts_of_a_delivery_are_shown_escaped(world: World, raw: bytes, shown: str) -> None:
    await world.script(DOT=b"250 %b\r\n" % raw)
    result = await (await world.open()).send(message())
    assert isinstance(result, Delivered)
    assert result.reply_text.startswith("250 " + shown[: MAX_TEXT - 8])
    assert len(result.reply_text) <= MAX_TEXT


async def test_lines_may_end_in_lf_and_have_no_text(world: World) -> None:
    await world.script(MAIL=b"250\n", RCPT=b"250-\n250 \n", DATA=b"354\r\n", DOT=b"250\r\n")
    assert isinstance(await (await world.open()).send(message()), Delivered)


# -- S19, S20: closing


@pytest.mark.parametrize("manner", MANNERS, ids=str)
async def test_a_close_after_the_dot_is_unknown_and_what_was_announced_is_not_begun(
    world: World, manner: Manner
) -> None:
    server = await world.speak(manner, DOT=HANGS_UP)
    session = await world.open()
    first, second = await two_messages(session)
    assert isinstance(first, Unknown)
    assert (first.reply.phase, first.reply.failure) == (Phase.SMTP_PHASE_DOT, LOST)
    assert isinstance(second, Refused)
    assert (second.reply.phase, second.reply.failure) == (Phase.SMTP_PHASE_MAIL, LOST)
    assert second.reply.text == "the connection was closed between two messages"
    assert len(server.contents) == 1


@pytest.mark.parametrize("manner", MANNERS, ids=str)
@pytest.mark.parametrize("stage", ["MAIL", "RCPT", "DATA", "DOT"])
async def test_421_is_not_waited_upon(world: World, manner: Manner, stage: str) -> None:
    # It stays and says nothing more; nobody waits for the rest of the group.
    server = await world.speak(manner, **{stage: b"421 4.3.2 going\r\n"})
    step = {"MAIL": "RCPT", "RCPT": "DATA"}.get(stage, "RSET")
    server.replies = {**server.replies, step: SILENCE}
    session = await world.open()
    async with asyncio.timeout(PATIENT.command / 2):
        result = await session.send(message())
    assert isinstance(result, Refused)
    assert (result.reply.phase, result.reply.code) == (STAGES[stage], 421)
    assert not session.usable
