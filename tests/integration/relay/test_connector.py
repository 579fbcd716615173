"""Getting in: which server is taken, in what language, and over TLS."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

import pytest

from demo.receiver.certificate import server_context
from emta.bounce.v1.smtp_reply_pb2 import FailureKind as Kind
from emta.bounce.v1.smtp_reply_pb2 import SmtpPhase as Phase
from services.relay import connection
from services.relay.transaction import Delivered, Refused, Transaction
from tests.integration.relay.demo_session import demo_session
from tests.integration.relay.scripted_server import EHLO_STARTTLS, HANGS_UP, SILENCE, Reply, ScriptedServer
from tests.integration.relay.scripted_world import (
    ADDRESS,
    CONTENT,
    DOMAIN,
    HASTY,
    HUGE,
    MESSAGE,
    World,
)
from tests.support.clock import ManualClock
from tests.support.eventually import eventually

# Linux: enum in net/tcp_states.h.
_TCP_CLOSE = 7

# -- getting in


async def test_a_server_without_ehlo_is_spoken_to_in_helo(world: World) -> None:
    server = await world.script(EHLO=b"502 5.5.1 what?\r\n")
    session = await world.open()
    assert isinstance(await session.send(MESSAGE), Delivered)
    assert server.lines[1:3] == [b"HELO relay.emta.example", b"MAIL FROM:<from@emta.example>"]


async def test_a_server_that_refuses_ehlo_and_hangs_up_has_said_why(world: World) -> None:
    await world.script(EHLO=b"550 5.7.1 you are listed\r\n", HELO=HANGS_UP)
    reply = await world.refused_opening()
    assert (reply.phase, reply.code, reply.text) == (Phase.SMTP_PHASE_EHLO, 550, "you are listed")


OPENINGS = {
    "banner 554": ({"BANNER": b"554 5.7.1 no\r\n"}, Phase.SMTP_PHASE_CONNECT, 554, 0),
    "banner 421": ({"BANNER": b"421 4.7.0 later\r\n"}, Phase.SMTP_PHASE_CONNECT, 421, 0),
    "banner loss": ({"BANNER": HANGS_UP}, Phase.SMTP_PHASE_CONNECT, 0, Kind.FAILURE_KIND_CONNECTION_LOST),
    "banner silence": ({"BANNER": SILENCE}, Phase.SMTP_PHASE_CONNECT, 0, Kind.FAILURE_KIND_TIMEOUT),
    "no SMTP": (
        {"BANNER": b"SSH-2.0-x\r\n"},
        Phase.SMTP_PHASE_CONNECT,
        0,
        Kind.FAILURE_KIND_PROTOCOL_ERROR,
    ),
    "EHLO 450": ({"EHLO": b"450 4.7.1 wait\r\n"}, Phase.SMTP_PHASE_EHLO, 450, 0),
    "EHLO loss": ({"EHLO": HANGS_UP}, Phase.SMTP_PHASE_EHLO, 0, Kind.FAILURE_KIND_CONNECTION_LOST),
}


@pytest.mark.parametrize(("replies", "phase", "code", "kind"), OPENINGS.values(), ids=OPENINGS)
async def test_a_server_that_does_not_take_us_leaves_it_to_the_next(
    world: World, replies: dict[str, Reply], phase: Phase, code: int, kind: Kind
) -> None:
    bad, good = ScriptedServer(replies), ScriptedServer()
    await world.site(bad)
    connector = world.connector(timeouts=HASTY)
    reply = await world.refused_opening(connector)
    assert (reply.phase, reply.code, reply.failure) == (phase, code, kind)
    assert (reply.mx_host, reply.remote_ip) == (f"mx1.{DOMAIN}", ADDRESS)
    world.zone.add_site(DOMAIN, [(20, f"mx2.{DOMAIN}", ["127.0.1.2"])])
    await world.listen(good, "127.0.1.2")
    world.clock.advance(3600)
    result = await (await world.open(connector)).send(MESSAGE)
    assert isinstance(result, Delivered)
    assert result.mx_host == f"mx2.{DOMAIN}"


async def test_a_server_that_resets_the_connection_at_once_is_a_lost_connection(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.site(ScriptedServer())
    dial = connection._dial

    with socket.create_server((ADDRESS, 0)) as resetting:
        world.port = resetting.getsockname()[1]

        async def dial_and_be_reset(*args: Any) -> socket.socket:
            connecting = await dial(*args)
            accepted, _ = await asyncio.to_thread(resetting.accept)
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            accepted.close()

            async def is_reset() -> bool:
                return bool(connecting.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _TCP_CLOSE)

            await eventually(is_reset, "the reset")
            return connecting

        monkeypatch.setattr(connection, "_dial", dial_and_be_reset)
        reply = await world.refused_opening()

    assert (reply.phase, reply.failure) == (Phase.SMTP_PHASE_CONNECT, Kind.FAILURE_KIND_CONNECTION_LOST)


async def test_a_reply_counts_more_than_a_later_failure(world: World) -> None:
    await world.site(
        ScriptedServer({"BANNER": b"554 first\r\n"}),
        ScriptedServer({"BANNER": b"421 second\r\n"}),
        ScriptedServer({"BANNER": HANGS_UP}),
    )
    reply = await world.refused_opening()
    assert (reply.code, reply.text, reply.mx_host) == (421, "second", f"mx2.{DOMAIN}")


async def test_a_refused_connection_says_so(world: World) -> None:
    with socket.create_server((ADDRESS, 0)) as taken:
        world.port = taken.getsockname()[1]
    world.zone.add_site(DOMAIN, [(10, f"mx1.{DOMAIN}", [ADDRESS])])
    reply = await world.refused_opening()
    assert (reply.phase, reply.failure) == (Phase.SMTP_PHASE_CONNECT, Kind.FAILURE_KIND_CONNECTION_REFUSED)
    assert (reply.remote_ip, reply.local_ip) == (ADDRESS, "")


async def test_five_addresses_are_tried_and_no_host_has_them_all(world: World) -> None:
    servers = [ScriptedServer({"BANNER": b"421 no\r\n"}) for _ in range(12)]
    for number, server in enumerate(servers):
        await world.listen(server, f"127.0.2.{number + 1}")
    for host in range(3):
        addresses = [f"127.0.2.{host * 4 + n + 1}" for n in range(4)]
        world.zone.add_site(DOMAIN, [(host, f"mx{host}.{DOMAIN}", addresses)])
    await world.refused_opening()
    tried = [sum(server.connections for server in servers[host * 4 : host * 4 + 4]) for host in range(3)]
    assert tried == [2, 2, 1]


# -- forbidden networks


async def test_forbidden_addresses_are_not_connected_to(world: World) -> None:
    server = await world.script()
    reply = await world.refused_opening(world.connector(allowed=()))
    assert (reply.phase, reply.failure) == (Phase.SMTP_PHASE_DNS, Kind.FAILURE_KIND_FORBIDDEN_NETWORK)
    assert (reply.mx_host, reply.remote_ip) == (f"mx1.{DOMAIN}", "")
    assert server.connections == 0


async def test_permitted_addresses_are_used_beside_forbidden_ones(world: World) -> None:
    forbidden, permitted = ScriptedServer(), ScriptedServer()
    await world.site(forbidden, permitted)
    session = await world.open(world.connector(allowed=("127.0.1.2/32",)))
    result = await session.send(MESSAGE)
    assert isinstance(result, Delivered)
    assert result.remote_ip == "127.0.1.2"
    assert forbidden.connections == 0


async def test_the_connected_address_is_checked_too(world: World) -> None:
    # 0.0.0.0 is another name for this machine: the peer turns out to be 127.0.0.1.
    server = ScriptedServer()
    await world.listen(server, "127.0.0.1")
    world.zone.add_site(DOMAIN, [(10, f"mx1.{DOMAIN}", ["0.0.0.0"])])
    reply = await world.refused_opening(world.connector(allowed=("0.0.0.0/32",)))
    assert (reply.phase, reply.failure) == (
        Phase.SMTP_PHASE_CONNECT,
        Kind.FAILURE_KIND_FORBIDDEN_NETWORK,
    )
    assert server.lines == []


# -- STARTTLS


async def test_tls_is_used_where_it_is_offered_whatever_the_certificate(world: World) -> None:
    server = ScriptedServer(
        {"EHLO": [EHLO_STARTTLS, b"250-mx\r\n250 SIZE\r\n"]}, tls=server_context(["x.example"])
    )
    await world.site(server)
    result = await (await world.open()).send(MESSAGE)
    assert isinstance(result, Delivered)
    assert result.tls_version == "TLSv1.3"
    # What is offered inside TLS counts.
    assert server.lines[3].endswith(b"SIZE=%d" % len(CONTENT))
    assert server.verbs[:3] == ["EHLO", "STARTTLS", "EHLO"]


async def test_a_large_message_arrives_whole_over_tls(world: World) -> None:
    server = ScriptedServer({"EHLO": EHLO_STARTTLS}, tls=server_context([DOMAIN]))
    await world.site(server)
    result = await (await world.open()).send(HUGE)
    assert isinstance(result, Delivered)
    assert result.tls_version == "TLSv1.3"
    assert server.contents == [HUGE.content + b".\r\n"]


async def test_tls_can_be_switched_off(world: World) -> None:
    server = ScriptedServer({"EHLO": EHLO_STARTTLS}, tls=server_context([DOMAIN]))
    await world.site(server)
    result = await (await world.open(world.connector(starttls=False))).send(MESSAGE)
    assert isinstance(result, Delivered)
    assert result.tls_version == ""


@pytest.mark.parametrize(
    "starttls",
    [b"454 4.7.0 not now\r\n", b"220 go\r\n", HANGS_UP, SILENCE],
    ids=["454", "broken handshake", "loss", "silence"],
)
async def test_broken_tls_costs_a_connection_not_the_message(world: World, starttls: Reply) -> None:
    server = ScriptedServer({"EHLO": EHLO_STARTTLS, "STARTTLS": starttls})
    await world.site(server)
    result = await (await world.open(world.connector(timeouts=HASTY))).send(MESSAGE)
    assert isinstance(result, Delivered)
    assert (result.tls_version, result.mx_host) == ("", f"mx1.{DOMAIN}")
    assert server.connections == 2


async def test_what_is_injected_before_the_handshake_is_not_read_after_it(world: World) -> None:
    # CVE-2011-0411: plain text behind the 220 must not become the answer to the EHLO inside TLS.
    injected = b"220 go\r\n250-mx.test\r\n250 SMTPUTF8\r\n"
    server = ScriptedServer(
        {"EHLO": [EHLO_STARTTLS, b"250 mx.test\r\n"], "STARTTLS": injected}, tls=server_context([DOMAIN])
    )
    await world.site(server)
    session = await world.open()
    result = await session.send(Transaction("a@b.example", f"to@{DOMAIN}", b"", b"x\r\n", False, True))
    assert isinstance(result, Refused)
    assert result.reply.failure == Kind.FAILURE_KIND_EXTENSION_MISSING
    assert result.reply.tls_version == "TLSv1.3"


async def test_the_demo_receiver_gets_what_was_sent(clock: ManualClock) -> None:
    async with demo_session(clock, starttls=True, messages_per_connection=10) as (receiver, session):
        for _ in range(3):
            message = Transaction("from@emta.example", "ok@new.example", b"", CONTENT, False, False)
            assert isinstance(await session.send(message), Delivered)
        await session.close()
        accepted = receiver.journal.accepted("ok@new.example")
        assert [entry.content for entry in accepted] == [CONTENT] * 3
        assert {(entry.session, entry.tls) for entry in accepted} == {(1, "TLSv1.3")}
        assert receiver.journal.violations == []
