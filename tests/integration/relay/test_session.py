"""Messages over a session, with servers that follow the rules and with servers that do not."""

from __future__ import annotations

import asyncio

import pytest

from demo.receiver.certificate import server_context
from emta.bounce.v1.smtp_reply_pb2 import FailureKind as Kind
from emta.bounce.v1.smtp_reply_pb2 import SmtpPhase as Phase
from emta.bounce.v1.smtp_reply_pb2 import SmtpReply
from services.relay.transaction import Delivered, Refused, Transaction, Unknown
from tests.integration.relay.scripted_server import EHLO_STARTTLS, HANGS_UP, SILENCE, Reply, ScriptedServer
from tests.integration.relay.scripted_world import (
    ADDRESS,
    CONTENT,
    DOMAIN,
    HASTY,
    HUGE,
    IMPATIENT,
    MESSAGE,
    World,
)
from tests.support.eventually import eventually

# -- delivering


async def test_a_message_arrives_byte_for_byte(world: World) -> None:
    server = await world.script()
    session = await world.open()
    assert await session.send(MESSAGE) == Delivered(
        reply_text="250 2.0.0 Ok: queued as 4711",
        mx_host=f"mx1.{DOMAIN}",
        remote_ip=ADDRESS,
        local_ip="127.0.0.1",
        tls_version="",
    )
    assert server.contents == [CONTENT.replace(b"\r\n.", b"\r\n..") + b".\r\n"]
    assert server.lines == [
        b"EHLO relay.emta.example",
        b"MAIL FROM:<from@emta.example> SIZE=%d" % len(CONTENT),
        f"RCPT TO:<to@{DOMAIN}>".encode(),
        b"DATA",
    ]
    assert session.usable


async def test_many_messages_share_a_connection_up_to_the_limit(world: World) -> None:
    server = await world.script()
    session = await world.open(world.connector(messages=3))
    for left in (True, True, False):
        assert isinstance(await session.send(MESSAGE), Delivered)
        assert session.usable is left
    await session.close()
    assert server.connections == 1
    assert server.verbs.count("MAIL") == 3
    assert server.verbs[-1] == "QUIT"


async def test_a_large_message_arrives_whole(world: World) -> None:
    server = ScriptedServer()
    await world.site(server)
    session = await world.open()
    assert isinstance(await session.send(HUGE), Delivered)
    assert server.contents == [HUGE.content + b".\r\n"]


@pytest.mark.parametrize("message", [MESSAGE, HUGE], ids=["small", "huge"])
async def test_the_dot_is_withheld_when_the_message_is_somebody_elses_by_then(
    world: World, message: Transaction
) -> None:
    server = await world.script()
    session = await world.open()
    assert await session.send(message, still_ours=lambda: server.verbs[-1] != "DATA") is None
    assert not session.usable
    assert server.contents == []


@pytest.mark.parametrize("code", [b"250", b"251", b"252", b"200"])
async def test_any_2xx_at_the_dot_is_a_delivery(world: World, code: bytes) -> None:
    await world.script(DOT=code + b" fine\r\n")
    assert isinstance(await (await world.open()).send(MESSAGE), Delivered)


async def test_smtputf8_and_8bitmime_are_asked_for(world: World) -> None:
    server = await world.script()
    needy = Transaction("jörg@emta.example", f"δοκιμή@{DOMAIN}", b"", "Grüße\r\n".encode(), True, True)
    assert isinstance(await (await world.open()).send(needy), Delivered)
    assert server.lines[1:3] == [
        "MAIL FROM:<jörg@emta.example> SIZE=9 BODY=8BITMIME SMTPUTF8".encode(),
        f"RCPT TO:<δοκιμή@{DOMAIN}>".encode(),
    ]


async def test_odd_addresses_are_not_rewritten(world: World) -> None:
    server = await world.script()
    odd = Transaction("", f'"a b\\"@>c"@{DOMAIN}', b"", CONTENT, False, False)
    await (await world.open()).send(odd)
    assert server.lines[1].startswith(b"MAIL FROM:<> ")
    assert server.lines[2] == f'RCPT TO:<"a b\\"@>c"@{DOMAIN}>'.encode()


async def test_a_missing_extension_is_a_refusal_of_that_message_only(world: World) -> None:
    server = await world.script(EHLO=b"250 mx.test\r\n")
    session = await world.open()
    result = await session.send(Transaction("a@b.example", f"to@{DOMAIN}", b"", b"\xff\r\n", True, False))
    assert isinstance(result, Refused)
    assert (result.reply.phase, result.reply.failure) == (
        Phase.SMTP_PHASE_MAIL,
        Kind.FAILURE_KIND_EXTENSION_MISSING,
    )
    assert "MAIL" not in server.verbs
    assert isinstance(await session.send(MESSAGE), Delivered)


# -- refusals


@pytest.mark.parametrize(
    ("step", "phase"),
    [
        ("MAIL", Phase.SMTP_PHASE_MAIL),
        ("RCPT", Phase.SMTP_PHASE_RCPT),
        ("DATA", Phase.SMTP_PHASE_DATA),
        ("DOT", Phase.SMTP_PHASE_DOT),
    ],
)
async def test_a_refusal_is_one_reply_and_the_session_goes_on(
    world: World, step: str, phase: Phase
) -> None:
    refusal = b"550-5.7.1 No \x1b[1m\r\n550 5.7.1 thanks \xff\r\n"
    server = await world.script(**{step: [refusal, b"354 go\r\n" if step == "DATA" else b"250 ok\r\n"]})
    session = await world.open()
    result = await session.send(MESSAGE)
    assert result == Refused(
        SmtpReply(
            phase=phase,
            code=550,
            enhanced_code="5.7.1",
            text="No \\x1b[1m\nthanks \\xff",
            mx_host=f"mx1.{DOMAIN}",
            remote_ip=ADDRESS,
            local_ip="127.0.0.1",
            recipient_domain=DOMAIN,
        )
    )
    assert session.usable
    assert isinstance(await session.send(MESSAGE), Delivered)
    assert server.connections == 1
    assert "RSET" in server.verbs or step == "DOT"


async def test_421_ends_the_session(world: World) -> None:
    await world.script(MAIL=b"421 4.3.2 too many messages\r\n")
    session = await world.open()
    result = await session.send(MESSAGE)
    assert isinstance(result, Refused)
    assert result.reply.code == 421
    assert not session.usable
    again = await session.send(MESSAGE)
    assert isinstance(again, Refused)
    assert again.reply.failure == Kind.FAILURE_KIND_CONNECTION_LOST


@pytest.mark.parametrize("rset", [b"421 bye\r\n", b"500 what\r\n", HANGS_UP])
async def test_a_refused_rset_ends_the_session_and_keeps_the_reply(world: World, rset: Reply) -> None:
    await world.script(RCPT=b"550 5.1.1 unknown\r\n", RSET=rset)
    session = await world.open()
    result = await session.send(MESSAGE)
    assert isinstance(result, Refused)
    assert result.reply.enhanced_code == "5.1.1"
    assert not session.usable


async def test_a_server_that_hangs_up_between_messages_is_noticed(world: World) -> None:
    server = await world.script()
    session = await world.open()
    assert isinstance(await session.send(MESSAGE), Delivered)
    assert session.usable
    server.hang_up()

    async def is_noticed() -> bool:
        return not session.usable

    await eventually(is_noticed)


# -- losses, silence and nonsense

BEFORE_THE_DOT = {
    "MAIL": Phase.SMTP_PHASE_MAIL,
    "RCPT": Phase.SMTP_PHASE_RCPT,
    "DATA": Phase.SMTP_PHASE_DATA,
}
WRONG = {
    "loss": (HANGS_UP, Kind.FAILURE_KIND_CONNECTION_LOST),
    "silence": (SILENCE, Kind.FAILURE_KIND_TIMEOUT),
    "no reply": (b"hello?\r\n", Kind.FAILURE_KIND_PROTOCOL_ERROR),
    "short code": (b" 25 ok\r\n", Kind.FAILURE_KIND_PROTOCOL_ERROR),
    "code out of range": (b"999 ok\r\n", Kind.FAILURE_KIND_PROTOCOL_ERROR),
    "interim code": (b"150 wait\r\n", Kind.FAILURE_KIND_PROTOCOL_ERROR),
    "endless": (b"250-" + b"x" * 9000 + b"\r\n", Kind.FAILURE_KIND_PROTOCOL_ERROR),
}


@pytest.mark.parametrize("step", BEFORE_THE_DOT)
@pytest.mark.parametrize(("reply", "kind"), WRONG.values(), ids=WRONG)
async def test_what_goes_wrong_before_the_dot_is_a_refusal(
    world: World, step: str, reply: Reply, kind: Kind
) -> None:
    server = await world.script(**{step: reply})
    session = await world.open(world.connector(timeouts=HASTY))
    result = await session.send(MESSAGE)
    assert isinstance(result, Refused)
    assert (result.reply.phase, result.reply.failure) == (BEFORE_THE_DOT[step], kind)
    assert result.reply.code == 0
    assert not session.usable
    assert server.contents == []


@pytest.mark.parametrize(("reply", "kind"), WRONG.values(), ids=WRONG)
async def test_what_goes_wrong_after_the_dot_is_unknown(world: World, reply: Reply, kind: Kind) -> None:
    server = await world.script(DOT=reply)
    session = await world.open(world.connector(timeouts=HASTY))
    result = await session.send(MESSAGE)
    assert isinstance(result, Unknown)
    assert (result.reply.phase, result.reply.failure) == (Phase.SMTP_PHASE_DOT, kind)
    assert not session.usable
    assert len(server.contents) == 1


async def test_a_second_reply_is_never_taken_for_the_next_answer(world: World) -> None:
    # The reply behind the 354 would look like the answer to the dot.
    server = await world.script(DATA=b"354 go\r\n250 queued, honestly\r\n")
    session = await world.open()
    result = await session.send(MESSAGE)
    assert isinstance(result, Refused)
    assert result.reply.failure == Kind.FAILURE_KIND_PROTOCOL_ERROR
    assert not session.usable
    assert server.contents == []


@pytest.mark.parametrize("reply", [b"250 ok\r\n250 once more\r\n", b"250 ok\r\n421 bye\r\n"])
async def test_a_second_reply_after_the_dot_ends_the_session_but_the_first_counts(
    world: World, reply: bytes
) -> None:
    await world.script(DOT=reply)
    session = await world.open()
    assert isinstance(await session.send(MESSAGE), Delivered)
    assert not session.usable


@pytest.mark.parametrize(
    ("reply", "code", "kind"),
    [
        (b"552 5.3.4 too big\r\n", 552, Kind.FAILURE_KIND_UNSPECIFIED),
        (b"250 taken already\r\n", 0, Kind.FAILURE_KIND_PROTOCOL_ERROR),
        (HANGS_UP, 0, Kind.FAILURE_KIND_CONNECTION_LOST),
        (SILENCE, 0, Kind.FAILURE_KIND_TIMEOUT),
    ],
)
@pytest.mark.parametrize("tls", [False, True], ids=["clear", "TLS"])
async def test_content_that_did_not_get_out_is_never_unknown(
    world: World, reply: Reply, code: int, kind: Kind, tls: bool
) -> None:
    replies: dict[str, Reply | list[Reply]] = {"DOT": [reply, SILENCE]}
    if tls:
        replies["EHLO"] = EHLO_STARTTLS
    server = ScriptedServer(replies, tls=server_context([DOMAIN]), reads_content=False)
    await world.site(server)
    session = await world.open(world.connector(timeouts=IMPATIENT))
    result = await session.send(HUGE)
    assert isinstance(result, Refused)
    assert (result.reply.code, result.reply.failure) == (code, kind)
    assert result.reply.phase == Phase.SMTP_PHASE_DATA
    assert result.reply.tls_version == ("TLSv1.3" if tls else "")
    assert not session.usable


async def test_a_cancelled_transaction_leaves_nothing_to_use(world: World) -> None:
    server = await world.script(RCPT=SILENCE)
    session = await world.open()
    sending = asyncio.create_task(session.send(MESSAGE))

    async def is_under_way() -> bool:
        return "RCPT" in server.verbs

    await eventually(is_under_way)
    sending.cancel()
    await asyncio.wait([sending])
    assert sending.cancelled()
    assert not session.usable
