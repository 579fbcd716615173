"""Servers that are trouble for everybody."""

from __future__ import annotations

import asyncio
import ssl

import aiosmtplib
import pytest

from demo.receiver import Receiver, Starttls, Traits, Zone
from tests.integration.demo.conftest import MESSAGE, Connect, address_of


@pytest.mark.parametrize(
    ("domain", "missing"),
    [
        ("alpha.example", set()),
        ("no-tls.example", {"STARTTLS"}),
        ("no-8bitmime.example", {"8BITMIME"}),
        ("no-smtputf8.example", {"SMTPUTF8"}),
        ("no-pipelining.example", {"PIPELINING"}),
        ("zeta.example", {"STARTTLS", "PIPELINING", "ENHANCEDSTATUSCODES"}),
    ],
)
async def test_what_ehlo_offers(connect: Connect, domain: str, missing: set[str]) -> None:
    async with connect(domain) as wire:
        answer = await wire.greet()

    offered = {line[4:].split()[0] for line in answer.decode().splitlines()[1:]}
    everything = {"STARTTLS", "8BITMIME", "SMTPUTF8", "PIPELINING", "ENHANCEDSTATUSCODES", "SIZE"}
    assert offered == everything - missing


@pytest.mark.parametrize(
    ("domain", "option"),
    [("no-8bitmime.example", b"BODY=8BITMIME"), ("no-smtputf8.example", b"SMTPUTF8")],
)
async def test_an_option_that_was_not_offered_is_refused_and_written_down(
    receiver: Receiver, connect: Connect, domain: str, option: bytes
) -> None:
    async with connect(domain) as wire:
        await wire.greet()

        assert (await wire.say(b"MAIL FROM:<a@shop.example> " + option)).startswith(b"555 ")
    assert len(receiver.journal.violations) == 1


async def test_commands_in_a_row_without_pipelining_end_the_connection(
    receiver: Receiver, connect: Connect
) -> None:
    async with connect("no-pipelining.example") as wire:
        await wire.greet()

        reply = await wire.say(b"MAIL FROM:<a@shop.example>\r\nRCPT TO:<ok@no-pipelining.example>")
        assert reply.startswith(b"503 5.5.0 ")
        assert await wire.line() == b""
    assert len(receiver.journal.violations) == 1


async def test_a_server_without_enhanced_codes_says_none(connect: Connect) -> None:
    async with connect("zeta.example") as wire:
        await wire.greet()
        await wire.say(b"MAIL FROM:<a@shop.example>")
        reply = await wire.say(b"RCPT TO:<user-unknown@zeta.example>")

    assert reply.startswith(b"550 <user-unknown@zeta.example>")


async def test_helo_only(receiver: Receiver, connect: Connect) -> None:
    async with connect("helo-only.example") as wire:
        assert (await wire.greet()).startswith(b"502 ")
        assert (await wire.say(b"HELO mta.shop.example")).startswith(b"250 ")
        assert (await wire.message("ok@helo-only.example")).startswith(b"250 ")

    assert len(receiver.journal.messages) == 1


async def test_a_554_instead_of_a_greeting_waits_for_quit(connect: Connect) -> None:
    async with connect("banner-554.example") as wire:
        assert (await wire.reply()).startswith(b"554 ")
        assert (await wire.say(b"EHLO mta.shop.example")).startswith(b"503 ")
        assert (await wire.say(b"QUIT")).startswith(b"221 ")
        assert await wire.line() == b""


async def test_a_421_instead_of_a_greeting_hangs_up(connect: Connect) -> None:
    async with connect("banner-421.example") as wire:
        assert (await wire.reply()).startswith(b"421 ")
        assert await wire.line() == b""


async def test_a_broken_tls_handshake(receiver: Receiver) -> None:
    client = aiosmtplib.SMTP(
        hostname=address_of(receiver, "tls-broken.example"),
        port=receiver.smtp_port,
        start_tls=False,
        timeout=10,
    )
    await client.connect()
    with pytest.raises((ssl.SSLError, aiosmtplib.SMTPException, ConnectionError)):
        await client.starttls(validate_certs=False)
    client.close()


async def test_what_was_said_before_tls_is_forgotten(connect: Connect) -> None:
    async with connect("alpha.example") as wire:
        await wire.greet()
        # A command in the clear behind STARTTLS, put in by somebody between (RFC 3207 section 6).
        assert (await wire.say(b"STARTTLS\r\nMAIL FROM:<evil@b.example>")).startswith(b"220 ")
        await wire.start_tls()

        # Were it remembered, its 503 would come first.
        assert (await wire.say(b"NOOP")).startswith(b"250 ")


async def test_starttls_asks_for_ehlo_again(receiver: Receiver) -> None:
    client = aiosmtplib.SMTP(
        hostname=address_of(receiver, "alpha.example"),
        port=receiver.smtp_port,
        start_tls=True,
        validate_certs=False,
        timeout=10,
    )
    await client.connect()
    refused = await client.execute_command(b"MAIL", b"FROM:<a@shop.example>")
    await client.ehlo()
    accepted = await client.execute_command(b"MAIL", b"FROM:<a@shop.example>")
    await client.quit()

    assert (refused.code, accepted.code) == (503, 250)
    assert not client.supports_extension("starttls")


async def test_nobody_listens(receiver: Receiver) -> None:
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(address_of(receiver, "refused.example"), receiver.smtp_port)


async def test_silence(receiver: Receiver, connect: Connect) -> None:
    async with connect("silent.example") as wire:
        with pytest.raises(TimeoutError):
            await wire.say_within(b"EHLO mta.shop.example", 0.2)

    assert receiver.journal.connections["silent.example"] == 1


async def test_a_limit_of_messages(receiver: Receiver, connect: Connect) -> None:
    async with connect("five-a-time.example") as wire:
        await wire.greet()
        for number in range(5):
            assert (await wire.message(f"ok+{number}@five-a-time.example")).startswith(b"250 ")
        assert (await wire.say(b"MAIL FROM:<a@shop.example>")).startswith(b"421 ")
        assert await wire.line() == b""

    assert len(receiver.journal.messages) == 5


async def test_a_limit_of_size_holds_with_and_without_being_told(
    receiver: Receiver, connect: Connect
) -> None:
    async with connect("small.example") as wire:
        await wire.greet()
        told = await wire.say(b"MAIL FROM:<a@shop.example> SIZE=5000")
        untold = await wire.message("ok@small.example", MESSAGE + (b"x" * 70 + b"\r\n") * 70)

    assert told.startswith(b"552 ")
    assert untold.startswith(b"552 ")
    assert [refusal.stage for refusal in receiver.journal.refused("ok@small.example")] == ["DOT"]
    assert receiver.journal.messages == []


async def test_a_site_changes_while_it_runs(receiver: Receiver, connect: Connect) -> None:
    receiver.zone.change_site("refused.example", Traits(starttls=Starttls.ABSENT))
    receiver.zone.change_site("alpha.example", Traits(listens=False))
    receiver.zone.add_site("late.example")
    await receiver.follow_zone()

    for domain in ("refused.example", "late.example"):
        async with connect(domain) as wire:
            await wire.greet()
            assert (await wire.message(f"ok@{domain}")).startswith(b"250 ")
    with pytest.raises(ConnectionRefusedError):
        async with connect("alpha.example"):
            pass


async def test_with_one_address_all_servers_stand_there() -> None:
    zone = Zone()
    zone.add_site("a.example")
    zone.add_site("b.example")
    # What the receiver does on macOS.
    zone.use_only("127.0.0.1")
    async with Receiver(zone) as receiver:
        reader, writer = await asyncio.open_connection("127.0.0.1", receiver.smtp_port)
        assert (await reader.readline()).startswith(b"220 ")
        writer.close()

    assert list(zone.hosts) == ["127.0.0.1"]
