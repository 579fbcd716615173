"""The receiving sites journal at the final dot, and know what was past it when a connection ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from chaos.sites import Sites
from tests.support.eventually import eventually


@pytest.fixture
async def sites() -> AsyncIterator[Sites]:
    async with Sites() as sites:
        yield sites


class Sender:
    """A conversation with the first site."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def to(cls, sites: Sites) -> Sender:
        sender = cls(*await asyncio.open_connection(sites[0].address, sites.port))
        assert (await sender.reply()).startswith("220")
        await sender.say("EHLO mta0.shop.example")
        return sender

    async def reply(self) -> str:
        while (line := (await self._reader.readline()).decode())[3:4] == "-":
            pass
        return line.strip()

    async def say(self, line: str) -> str:
        self._writer.write(f"{line}\r\n".encode())
        return await self.reply()

    async def offer(self, message_id: str) -> str:
        """The envelope; gives the answer to RCPT."""
        await self.say("MAIL FROM:<a@shop.example>")
        return await self.say(f"RCPT TO:<{message_id}@site1.example>")

    async def content(self) -> None:
        await self.say("DATA")
        self._writer.write(b"DKIM-Signature: v=1\r\n\r\nHello\r\n.\r\n")

    def cut(self) -> None:
        self._writer.transport.abort()


async def test_a_message_is_journalled_before_its_answer(sites: Sites) -> None:
    sites[0].stuck.add("ok-1")
    sender = await Sender.to(sites)
    await sender.offer("ok-1")
    await sender.content()

    async def journalled() -> bool:
        return bool(sites.journal)

    await eventually(journalled, "the journal")

    (delivery,) = sites.journal
    assert (delivery.message_id, delivery.signed, delivery.relay) == ("ok-1", True, "mta0.shop.example")
    assert delivery.answered is None
    sender.cut()


async def test_a_connection_that_is_cut_leaves_what_it_had_taken(sites: Sites) -> None:
    sender = await Sender.to(sites)
    await sender.offer("ok-1")
    await sender.content()
    assert await sender.reply() == "250 2.0.0 Ok"
    sender.cut()

    async def noticed() -> bool:
        return bool(sites.cut)

    await eventually(noticed, "the cut")

    ((delivery, at),) = sites.cut
    assert delivery.message_id == "ok-1"
    assert delivery.answered is not None
    assert delivery.answered <= at


async def test_a_connection_that_says_quit_leaves_nothing_past_the_dot(sites: Sites) -> None:
    sender = await Sender.to(sites)
    await sender.offer("ok-1")
    await sender.content()
    await sender.reply()

    assert (await sender.say("QUIT")).startswith("221")
    sender.cut()
    # Whoever comes later is served later: by now the first conversation has come to its end.
    later = await Sender.to(sites)

    assert not sites.cut
    later.cut()


async def test_recipients_are_treated_by_the_first_word_of_their_name(sites: Sites) -> None:
    sender = await Sender.to(sites)

    assert (await sender.offer("unknown-1")).startswith("550")
    assert [(await sender.offer("busy-1"))[:3] for _ in range(2)] == ["451", "250"]
    assert (await sender.offer("later-1")).startswith("451")
    sites.released = True
    assert (await sender.offer("later-1")).startswith("250")
    assert sites.refusals == {"unknown": 1, "busy": 1, "later": 1}
    sender.cut()
