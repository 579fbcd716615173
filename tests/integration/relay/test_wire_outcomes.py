"""What comes of a message for every reply at every stage, and in whatever pieces the replies arrive."""

from __future__ import annotations

import random
from dataclasses import dataclass

import pytest

from emta.bounce.v1.smtp_reply_pb2 import FailureKind as Kind
from emta.bounce.v1.smtp_reply_pb2 import SmtpPhase as Phase
from services.relay.replies import AttemptFailed
from services.relay.session import Session
from services.relay.transaction import Delivered, Refused, Result, Transaction, Unknown
from tests.integration.relay.scripted_server import EHLO_BOTH, HANGS_UP, Reply, ScriptedServer
from tests.integration.relay.scripted_world import (
    DOMAIN,
    MANNERS,
    MESSAGE,
    Manner,
    World,
    message,
    tls_of_a_server,
)

LOST, NONSENSE = Kind.FAILURE_KIND_CONNECTION_LOST, Kind.FAILURE_KIND_PROTOCOL_ERROR
REPLIES: dict[str, Reply] = {
    "250": b"250 fine\r\n",
    "354": b"354 go\r\n",
    "421": b"421 4.3.2 closing\r\n",
    "450": b"450 4.2.0 later\r\n",
    "550": b"550 5.1.1 never\r\n",
    "loss": HANGS_UP,
}


@dataclass(frozen=True)
class Outcome:
    """`failure` 0: it was a reply, with `code`. `usable`: the session goes on."""

    result: type[Result] | type[AttemptFailed]
    phase: int = 0
    code: int = 0
    failure: int = 0
    usable: bool = False


def outcome(result: Result, session: Session) -> Outcome:
    if isinstance(result, Delivered):
        return Outcome(Delivered, usable=session.usable)
    reply = result.reply
    return Outcome(type(result), reply.phase, reply.code, reply.failure, session.usable)


# -- before the first message

DELIVERED = Outcome(Delivered, usable=True)


def at_opening(phase: Phase, **others: Outcome) -> dict[str, Outcome]:
    """What a reply other than the hoped-for one makes of an attempt to get in."""
    return {
        "354": Outcome(AttemptFailed, phase, failure=NONSENSE),
        "421": Outcome(AttemptFailed, phase, 421),
        "450": Outcome(AttemptFailed, phase, 450),
        "550": Outcome(AttemptFailed, phase, 550),
        "loss": Outcome(AttemptFailed, phase, failure=LOST),
        **others,
    }


EHLO = Phase.SMTP_PHASE_EHLO
EHLO_502 = Outcome(AttemptFailed, EHLO, 502)
# Opportunistic TLS: whatever goes wrong with it, the message leaves over another connection.
IN_THE_CLEAR = dict.fromkeys(REPLIES, DELIVERED)
OPENINGS: dict[str, dict[str, Outcome]] = {
    "BANNER": at_opening(Phase.SMTP_PHASE_CONNECT, **{"250": DELIVERED}),
    # A server that does not know EHLO may know HELO.
    "EHLO": at_opening(EHLO, **{"250": DELIVERED, "550": DELIVERED}),
    # With nothing better to say, the refusal of EHLO counts.
    "HELO": at_opening(EHLO, **{"250": DELIVERED, "354": EHLO_502, "loss": EHLO_502}),
    "STARTTLS": IN_THE_CLEAR,
    "EHLO inside TLS": IN_THE_CLEAR,
}


@pytest.mark.parametrize("reply", REPLIES)
@pytest.mark.parametrize("stage", OPENINGS)
async def test_every_reply_before_the_first_message(world: World, stage: str, reply: str) -> None:
    said = REPLIES[reply]
    scripts: dict[str, dict[str, Reply | list[Reply]]] = {
        "HELO": {"EHLO": b"502 5.5.1 what?\r\n", "HELO": said},
        "STARTTLS": {"EHLO": EHLO_BOTH, "STARTTLS": said},
        "EHLO inside TLS": {"EHLO": [EHLO_BOTH, said, EHLO_BOTH]},
    }
    server = ScriptedServer(scripts.get(stage, {stage: said}), tls=tls_of_a_server())
    await world.site(server)
    try:
        session = await world.open()
    except AttemptFailed as failed:
        told = failed.reply
        assert Outcome(AttemptFailed, told.phase, told.code, told.failure) == OPENINGS[stage][reply]
        assert server.contents == []
        return
    assert outcome(await session.send(MESSAGE), session) == OPENINGS[stage][reply]
    assert len(server.contents) == 1


# -- a message


def at_message(phase: Phase, **others: Outcome) -> dict[str, Outcome]:
    return {
        "250": DELIVERED,
        "354": Outcome(Refused, phase, failure=NONSENSE),
        "421": Outcome(Refused, phase, 421),
        "450": Outcome(Refused, phase, 450, usable=True),
        "550": Outcome(Refused, phase, 550, usable=True),
        "loss": Outcome(Refused, phase, failure=LOST),
        **others,
    }


DATA, DOT = Phase.SMTP_PHASE_DATA, Phase.SMTP_PHASE_DOT
MESSAGES: dict[str, dict[str, Outcome]] = {
    "MAIL": at_message(Phase.SMTP_PHASE_MAIL),
    "RCPT": at_message(Phase.SMTP_PHASE_RCPT),
    "DATA": at_message(DATA, **{"250": Outcome(Refused, DATA, failure=NONSENSE), "354": DELIVERED}),
    "DOT": at_message(
        DOT,
        **{"354": Outcome(Unknown, DOT, failure=NONSENSE), "loss": Outcome(Unknown, DOT, failure=LOST)},
    ),
}


@pytest.mark.parametrize("manner", MANNERS, ids=str)
@pytest.mark.parametrize("reply", REPLIES)
@pytest.mark.parametrize("stage", MESSAGES)
async def test_every_reply_to_a_message(world: World, manner: Manner, stage: str, reply: str) -> None:
    server = await world.speak(manner, **{stage: REPLIES[reply]})
    session = await world.open()
    result = await session.send(MESSAGE)
    assert outcome(result, session) == MESSAGES[stage][reply]
    if isinstance(result, Refused):
        assert result.reply.tls_version == ("TLSv1.3" if manner.tls else "")
        assert result.reply.recipient_domain == DOMAIN
    # What was refused before the dot was never handed over: at most the lone dot that ends a DATA.
    if not isinstance(result, Delivered) and stage != "DOT":
        assert server.contents in ([], [b".\r\n"])


@pytest.mark.parametrize("manner", MANNERS, ids=str)
@pytest.mark.parametrize("reply", REPLIES)
@pytest.mark.parametrize("stage", MESSAGES)
async def test_every_reply_to_the_message_after(
    world: World, manner: Manner, stage: str, reply: str
) -> None:
    usual = b"354 go\r\n" if stage == "DATA" else b"250 fine\r\n"
    await world.speak(manner, **{stage: [usual, REPLIES[reply]]})
    session = await world.open()
    first, second = message(1), message(2)
    assert isinstance(await session.send(first, lambda: second), Delivered)
    told = outcome(await session.send(second), session)
    permitted = [MESSAGES[stage][reply]]
    if manner.pipelining and stage != "DOT" and reply in ("421", "loss"):
        # The server may have been gone before the second message had its turn.
        permitted.append(Outcome(Refused, Phase.SMTP_PHASE_MAIL, failure=LOST))
    assert told in permitted


# -- pieces


def cut(octets: bytes, dice: random.Random) -> list[bytes]:
    places = sorted(dice.randrange(len(octets) + 1) for _ in range(dice.randrange(6)))
    return [octets[start:end] for start, end in zip([0, *places], [*places, len(octets)], strict=True)]


async def conversation(session: Session, messages: list[Transaction]) -> list[Outcome]:
    """Send one behind the other, each one announced."""
    results = []
    for number, each in enumerate(messages, 1):
        coming = messages[number] if number < len(messages) else None
        result = await session.send(each, lambda coming=coming: coming)
        results.append(outcome(result, session))
    return results


@pytest.mark.parametrize("manner", MANNERS, ids=str)
@pytest.mark.parametrize("seed", range(5))
async def test_pieces_change_nothing(world: World, manner: Manner, seed: int) -> None:
    dice = random.Random(seed)
    script: dict[str, Reply | list[Reply]] = {
        "MAIL": [
            b"250 ok\r\n",
            b"250-2.1.0 two\r\n250 2.1.0 lines\r\n",
            b"451 4.3.0 not now\r\n",
            b"250 ok\r\n",
        ],
        "RCPT": [
            b"250 ok\r\n",
            b"550-5.1.1 no\r\n550 5.1.1 such user\r\n",
            b"503 5.5.1 after a refusal\r\n",
            b"250 ok\r\n",
        ],
        "DATA": [b"354 go\r\n", b"554 5.5.1 no recipients\r\n", b"503 5.5.1 no\r\n", b"354 go\r\n"],
        "DOT": [b"250 2.0.0 one\r\n", b"452 4.3.1 full\r\n", b"250 ok\r\n"],
    }
    if not manner.pipelining:
        script["RCPT"] = [b"250 ok\r\n", b"550-5.1.1 no\r\n550 5.1.1 such user\r\n", b"250 ok\r\n"]
        script["DATA"] = b"354 go\r\n"
    server = await world.speak(manner, **script)
    server.pieces = lambda octets: cut(octets, dice) if not octets.startswith(b"220 go") else [octets]
    session = await world.open()
    messages = [message(number) for number in range(5)]
    refused = Outcome(Refused, Phase.SMTP_PHASE_RCPT, 550, usable=True)
    assert await conversation(session, messages) == [
        DELIVERED,
        refused,
        Outcome(Refused, Phase.SMTP_PHASE_MAIL, 451, usable=True),
        Outcome(Refused, DOT, 452, usable=True),
        DELIVERED,
    ]
    assert [content for content in server.contents if content != b".\r\n"] == [server.contents[0]] * 3
