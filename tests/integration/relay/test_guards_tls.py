"""STARTTLS under attack (attack rows S7 and S8), and sessions that are resumed."""

from __future__ import annotations

import ssl

import pytest

from demo.receiver.certificate import server_context
from emta.bounce.v1.smtp_reply_pb2 import FailureKind as Kind
from emta.bounce.v1.smtp_reply_pb2 import SmtpPhase as Phase
from services.relay import tls
from services.relay.transaction import Delivered
from tests.integration.relay.scripted_server import EHLO_BOTH, EHLO_STARTTLS, ScriptedServer
from tests.integration.relay.scripted_world import (
    DOMAIN,
    Manner,
    World,
    message,
    tls_of_a_server,
)

# -- S7: what is said in the clear around STARTTLS

INJECTED = b"250-mx.test\r\n250-PIPELINING\r\n250 AUTH PLAIN\r\n"


async def test_an_answer_to_starttls_before_it_was_said_ends_the_connection(world: World) -> None:
    server = ScriptedServer({"EHLO": EHLO_BOTH + b"220 go ahead\r\n"}, tls=tls_of_a_server())
    await world.site(server)
    reply = await world.refused_opening()
    assert (reply.phase, reply.failure) == (Phase.SMTP_PHASE_EHLO, Kind.FAILURE_KIND_PROTOCOL_ERROR)
    assert "STARTTLS" not in server.verbs


@pytest.mark.parametrize("injected", [INJECTED, b"250 x\r\n" * 200, b"\x16\x03\x03", b"x"], ids=repr)
async def test_what_comes_behind_the_220_is_never_an_answer_inside_tls(
    world: World, injected: bytes
) -> None:
    plain = b"250-mx.test\r\n250 STARTTLS\r\n"
    server = ScriptedServer(
        {"EHLO": plain, "STARTTLS": b"220 go ahead\r\n" + injected}, tls=tls_of_a_server()
    )
    await world.site(server)
    session = await world.open()
    first, second = message(1), message(2)
    assert isinstance(await session.send(first, lambda: second), Delivered)
    # What the server offers counts, not what was offered in its name: no commands in groups.
    assert isinstance(await session.send(second), Delivered)
    assert server.transcript[-8:] == ["MAIL", "RCPT", "DATA", "DOT"] * 2
    assert len(server.contents) == 2


async def test_nothing_is_asked_in_the_clear_once_tls_was_agreed(world: World) -> None:
    server = ScriptedServer({"EHLO": EHLO_BOTH}, tls=tls_of_a_server())
    await world.site(server)
    result = await (await world.open()).send(message())
    assert isinstance(result, Delivered)
    assert result.tls_version == "TLSv1.3"
    assert server.transcript[:3] == ["EHLO", "STARTTLS", "EHLO"]
    assert server.connections == 1


# -- resumption


def server_tls(**traits: object) -> ssl.SSLContext:
    """A server's context of its own, with attributes of ssl.SSLContext set."""
    context = server_context([DOMAIN])
    for name, value in traits.items():
        setattr(context, name, value)
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=str)
@pytest.mark.parametrize("pipelining", [False, True])
async def test_the_next_connection_to_a_host_resumes_the_session(
    world: World, version: ssl.TLSVersion, pipelining: bool
) -> None:
    server = await world.speak(Manner(tls=True, pipelining=pipelining))
    server.tls = server_tls(maximum_version=version)
    connector = world.connector()
    for number in range(4):
        session = await world.open(connector)
        assert isinstance(await session.send(message(number)), Delivered)
        await session.close()
    assert server.resumed == [False, True, True, True]


async def test_connections_at_the_same_time_resume_the_same_session(world: World) -> None:
    server = await world.speak(Manner(tls=True, pipelining=True))
    connector = world.connector()
    sessions = [await world.open(connector) for _ in range(4)]
    for number, session in enumerate(sessions):
        assert isinstance(await session.send(message(number)), Delivered)
    assert server.resumed == [False, True, True, True]


async def test_a_server_that_forgot_gets_a_whole_handshake(world: World) -> None:
    server = await world.speak(Manner(tls=True, pipelining=True))
    connector = world.connector()
    for context in (server_tls(), server_tls()):
        server.tls = context
        session = await world.open(connector)
        result = await session.send(message())
        assert isinstance(result, Delivered)
        assert result.tls_version == "TLSv1.3"
    assert server.resumed == [False, False]


async def test_a_server_that_gives_no_tickets_gets_whole_handshakes(world: World) -> None:
    server = await world.speak(Manner(tls=True, pipelining=True))
    server.tls = server_tls(num_tickets=0)
    connector = world.connector()
    for number in range(2):
        assert isinstance(await (await world.open(connector)).send(message(number)), Delivered)
    assert server.resumed == [False, False]


async def test_the_sessions_of_the_hosts_used_last_are_kept(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "_SESSIONS", 2)
    servers = []
    for number in range(1, 4):
        server = ScriptedServer({"EHLO": EHLO_STARTTLS}, tls=tls_of_a_server())
        world.zone.add_site(f"d{number}.example", [(10, f"mx{number}.example", [f"127.0.1.{number}"])])
        servers.append(await world.listen(server, f"127.0.1.{number}"))
    connector = world.connector()
    for number in (1, 2, 3, 1, 3):
        await (await world.open(connector, f"d{number}.example")).close()
    assert [server.resumed for server in servers] == [[False, False], [False], [False, True]]
