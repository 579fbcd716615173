"""The mail servers as a good sender meets them."""

from __future__ import annotations

import asyncio

import aiosmtplib
import pytest

from demo.receiver import Receiver
from tests.integration.demo.conftest import MESSAGE, Connect, address_of


def _client(receiver: Receiver, domain: str, *, tls: bool | None = None) -> aiosmtplib.SMTP:
    return aiosmtplib.SMTP(
        hostname=address_of(receiver, domain),
        port=receiver.smtp_port,
        start_tls=tls,
        validate_certs=False,
        timeout=10,
    )


async def test_a_message_over_tls_is_written_down_in_full(receiver: Receiver) -> None:
    async with _client(receiver, "alpha.example", tls=True) as client:
        await client.sendmail("a@shop.example", "ada@alpha.example", MESSAGE)

    (arrived,) = receiver.journal.accepted("ada@alpha.example")
    assert arrived.content == MESSAGE
    assert arrived.tls == "TLSv1.3"
    assert arrived.mail_from == "a@shop.example"
    assert arrived.mail_params == {"SIZE": str(len(MESSAGE))}
    assert (arrived.site, arrived.host) == ("alpha.example", "mail.alpha.example")
    assert arrived.domain == "alpha.example"
    assert arrived.answered
    assert receiver.journal.violations == []


async def test_many_messages_go_over_one_connection(receiver: Receiver) -> None:
    async with _client(receiver, "epsilon.example") as client:
        for number in range(5):
            await client.sendmail("a@shop.example", f"ok+{number}@epsilon.example", MESSAGE)

    assert [message.number_in_session for message in receiver.journal.messages] == [1, 2, 3, 4, 5]
    assert {(message.session, message.tls) for message in receiver.journal.messages} == {(1, "")}
    assert receiver.journal.connections == {"epsilon.example": 1}


@pytest.mark.parametrize(
    "content",
    [
        b"..\r\n.\r\n...\r\n",
        b".\r\n",
        b"a\r\n.b\r\n",
        b"a\r\n..\r\n\r\n.\r\n",
        b"",
        b"\r\n",
        bytes(range(1, 10)) + bytes(range(14, 256)) + b"\r\n",
    ],
)
async def test_dots_are_unstuffed_exactly(receiver: Receiver, connect: Connect, content: bytes) -> None:
    stuffed = (b"\r\n" + content).replace(b"\r\n.", b"\r\n..")[2:]
    async with connect("alpha.example") as wire:
        await wire.greet()
        await wire.up_to_data("ok@alpha.example")
        # In single octets, so that the end is found wherever the network cuts.
        for octet in stuffed + b".\r\n":
            wire.send(bytes([octet]))
            await asyncio.sleep(0)
        assert (await wire.reply()).startswith(b"250 ")

    (arrived,) = receiver.journal.accepted("ok@alpha.example")
    assert arrived.content == content


async def test_a_dot_between_bare_line_feeds_ends_nothing(receiver: Receiver, connect: Connect) -> None:
    smuggled = b"a\n.\nMAIL FROM:<evil@b.example>\n\r.\r\r\n"
    async with connect("alpha.example") as wire:
        await wire.greet()
        await wire.message("ok@alpha.example", smuggled)

    (arrived,) = receiver.journal.messages
    assert arrived.content == smuggled
    assert any("stands alone" in violation for violation in receiver.journal.violations)


async def test_commands_in_a_row_are_answered_in_a_row(receiver: Receiver, connect: Connect) -> None:
    async with connect("alpha.example") as wire:
        await wire.greet()
        wire.send(
            b"MAIL FROM:<a@shop.example>\r\nRCPT TO:<user-unknown@alpha.example>\r\n"
            b"RCPT TO:<ok@alpha.example>\r\nDATA\r\n"
        )
        codes = [(await wire.reply())[:3] for _ in range(4)]
        await wire.say(MESSAGE + b".")

    assert codes == [b"250", b"550", b"250", b"354"]
    assert [message.rcpt for message in receiver.journal.messages] == ["ok@alpha.example"]


async def test_one_message_for_two_recipients_is_two_entries(receiver: Receiver) -> None:
    async with _client(receiver, "alpha.example") as client:
        await client.sendmail("a@shop.example", ["ada@alpha.example", "bob@alpha.example"], MESSAGE)

    assert [message.rcpt for message in receiver.journal.messages] == [
        "ada@alpha.example",
        "bob@alpha.example",
    ]


async def test_an_internationalized_address_with_smtputf8(receiver: Receiver) -> None:
    async with _client(receiver, "müller.example") as client:
        await client.sendmail(
            "a@shop.example",
            "jürgen@müller.example",
            MESSAGE,
            mail_options=["SMTPUTF8", "BODY=8BITMIME"],
        )

    (arrived,) = receiver.journal.accepted("jürgen@müller.example")
    assert arrived.mail_params["SMTPUTF8"] == ""
    assert receiver.journal.violations == []


async def test_an_internationalized_address_without_smtputf8_is_refused(
    receiver: Receiver, connect: Connect
) -> None:
    async with connect("alpha.example") as wire:
        await wire.greet()
        await wire.say(b"MAIL FROM:<a@shop.example>")
        reply = await wire.say("RCPT TO:<jürgen@alpha.example>".encode())

    assert reply.startswith(b"553 5.6.7")
    assert receiver.journal.refused("jürgen@alpha.example")
    assert any("SMTPUTF8" in violation for violation in receiver.journal.violations)


async def test_octets_above_127_that_were_not_announced_are_written_down(
    receiver: Receiver, connect: Connect
) -> None:
    async with connect("alpha.example") as wire:
        await wire.greet()
        await wire.message("ok@alpha.example", b"Gr\xfc\xdfe\r\n")

    assert [violation.partition(": ")[2] for violation in receiver.journal.violations] == [
        "octets above 127 without BODY=8BITMIME (RFC 6152)"
    ]


@pytest.mark.parametrize("command", [b"MAIL FROM:<a@b.example>", b"RCPT TO:<a@b.example>", b"DATA"])
async def test_order_matters(connect: Connect, command: bytes) -> None:
    async with connect("alpha.example") as wire:
        await wire.reply()

        assert (await wire.say(command)).startswith(b"503 ")


async def test_rset_ends_a_transaction(receiver: Receiver, connect: Connect) -> None:
    async with connect("alpha.example") as wire:
        await wire.greet()
        await wire.up_to_data("ok+1@alpha.example")
        await wire.say(MESSAGE + b".")
        await wire.say(b"MAIL FROM:<a@shop.example>")
        await wire.say(b"RCPT TO:<ok+2@alpha.example>")
        await wire.say(b"RSET")
        assert (await wire.say(b"DATA")).startswith(b"503 ")
        assert (await wire.say(b"QUIT")).startswith(b"221 ")
        assert await wire.line() == b""

    assert [message.rcpt for message in receiver.journal.messages] == ["ok+1@alpha.example"]


async def test_connections_are_counted_while_open_and_at_their_most(
    receiver: Receiver, connect: Connect
) -> None:
    async with connect("alpha.example") as one, connect("alpha.example") as two:
        await one.greet()
        await two.greet()
        assert receiver.journal.at_once["alpha.example"] == 2
        for wire in (one, two):
            await wire.say(b"QUIT")
            assert await wire.line() == b""

    assert receiver.journal.connections["alpha.example"] == 2
    assert receiver.journal.most_at_once["alpha.example"] == 2
    assert receiver.journal.at_once["alpha.example"] == 0


async def test_all_servers_share_a_port_and_two_receivers_do_not(receiver: Receiver) -> None:
    async with Receiver() as other:
        async with _client(other, "alpha.example") as client:
            await client.sendmail("a@shop.example", "ok@alpha.example", MESSAGE)

        assert other.smtp_port != receiver.smtp_port
        assert len(other.journal.messages) == 1
    assert receiver.journal.messages == []


async def test_leaving_cuts_open_connections(connect: Connect) -> None:
    async with Receiver() as brief:
        streams = await asyncio.open_connection(address_of(brief, "alpha.example"), brief.smtp_port)
        await streams[0].readline()

    assert await asyncio.wait_for(streams[0].read(), 10) == b""
    streams[1].close()
