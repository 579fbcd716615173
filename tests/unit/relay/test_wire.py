"""Replies out of octets, however they are cut, and what is none."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from emta.bounce.v1.smtp_reply_pb2 import FailureKind
from services.relay import wire as wire_module
from services.relay.wire import Reply, Wire, WireFailed

MANY = 1_000


@asynccontextmanager
async def open_wire() -> AsyncIterator[tuple[Wire, socket.socket]]:
    """Give a wire, and the other end of its connection."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    wire = Wire(transport, transport)
    yield wire, theirs
    wire.close()
    theirs.close()
    await asyncio.sleep(0)


def replies_of(pieces: Iterable[bytes], owed: int = MANY) -> tuple[list[Reply], WireFailed | None]:
    """What a connection makes of the pieces that come in."""

    async def read() -> tuple[list[Reply], WireFailed | None]:
        async with open_wire() as (wire, _):
            wire.owed(owed)
            for piece in pieces:
                wire.data_received(piece)
            replies = []
            while wire.answered:
                replies.append(await wire.reply(1))
            return replies, wire.failure

    return asyncio.run(read())


CODES = st.sampled_from([b"250", b"354", b"421", b"450", b"550", b"200", b"599"])
TEXTS = st.binary(max_size=30).map(lambda text: text.replace(b"\n", b"").rstrip(b"\r"))
ENDS = st.sampled_from([b"\r\n", b"\n"])


@st.composite
def written_replies(draw: st.DrawFn) -> tuple[bytes, Reply]:
    code, texts = draw(CODES), draw(st.lists(TEXTS, min_size=1, max_size=4))
    lines = [code + b"-" + text + draw(ENDS) for text in texts[:-1]]
    told = b"\n".join(texts).decode("utf-8", "surrogateescape")
    return b"".join([*lines, code + b" " + texts[-1] + draw(ENDS)]), Reply(int(code), told)


@given(st.lists(written_replies(), max_size=6), st.lists(st.integers(0, 600), max_size=12))
def test_replies_are_the_same_however_they_are_cut(
    written: list[tuple[bytes, Reply]], cuts: list[int]
) -> None:
    octets = b"".join(raw for raw, _ in written)
    at = sorted(min(cut, len(octets)) for cut in cuts)
    pieces = [octets[start:end] for start, end in zip([0, *at], [*at, len(octets)], strict=True)]
    assert replies_of(pieces) == ([reply for _, reply in written], None)


@given(st.lists(st.one_of(st.binary(max_size=40), written_replies().map(lambda pair: pair[0])), max_size=8))
def test_any_octets_become_replies_or_a_failure(octets: list[bytes]) -> None:
    whole, failure = replies_of([b"".join(octets)])
    for reply in whole:
        assert 200 <= reply.code <= 599
        assert len(reply.text) <= 32 * 1024
    cut, cut_failure = replies_of(bytes([octet]) for octet in b"".join(octets))
    assert cut == whole
    assert (cut_failure is None) is (failure is None)


MALFORMED = {
    "no code": b"hello\r\n",
    "nothing": b"\r\n",
    "two digits": b"25 ok\r\n",
    "two digits alone": b"25\r\n",
    "one digit alone": b"3\n",
    "a sign": b"+25 ok\r\n",
    "a space first": b" 250 ok\r\n",
    "four digits": b"2500 ok\r\n",
    "class 9": b"999 ok\r\n",
    "class 6": b"600 ok\r\n",
    "class 1": b"150 wait\r\n",
    "class 0": b"000 ok\r\n",
    "an underscore": b"2_5 ok\r\n",
    "other digits": "²50 ok\r\n".encode(),
    "other digits, latin": b"\xb250 ok\r\n",
    "a tab": b"250\tok\r\n",
    "two codes": b"250-first\r\n550 second\r\n",
    "two codes, the other way": b"550-first\r\n250 second\r\n",
    "a line without code inside": b"250-first\r\nsecond\r\n250 third\r\n",
    "an empty line inside": b"250-first\r\n\r\n250 third\r\n",
    "a NUL first": b"\x00250 ok\r\n",
    "a line of 8 KiB": b"250 " + b"x" * 8192 + b"\r\n",
    "a line of 8 KiB without end": b"250 " + b"x" * 8192,
    "a reply of 32 KiB": (b"250-" + b"x" * 1000 + b"\r\n") * 33,
    "a reply of many empty lines": b"250-\n" * 8193,
}


@pytest.mark.parametrize("octets", MALFORMED.values(), ids=MALFORMED)
def test_what_is_no_reply_is_a_failure_and_nothing_behind_it_counts(octets: bytes) -> None:
    replies, failure = replies_of([b"250 before\r\n" + octets, b"250 behind\r\n"])
    assert replies == [Reply(250, "before")]
    assert failure is not None
    assert failure.kind == FailureKind.FAILURE_KIND_PROTOCOL_ERROR


@pytest.mark.parametrize("octets", [b"250\r\n", b"250\n", b"250 \r\n"])
def test_a_reply_needs_no_text(octets: bytes) -> None:
    assert replies_of([octets]) == ([Reply(250, "")], None)


@pytest.mark.parametrize("owed", range(3))
def test_an_answer_to_no_command_ends_it_and_those_before_count(owed: int) -> None:
    octets = b"".join(b"25%d ok\r\n" % number for number in range(owed + 1))
    replies, failure = replies_of([octets, b"250 more\r\n"], owed)
    assert [reply.code for reply in replies] == list(range(250, 250 + owed))
    assert failure is not None
    assert failure.kind == FailureKind.FAILURE_KIND_PROTOCOL_ERROR


def test_a_421_to_no_command_is_a_server_that_leaves() -> None:
    replies, failure = replies_of([b"421 4.4.2 idle for too long\r\n"], 0)
    assert replies == []
    assert failure is not None
    assert failure.kind == FailureKind.FAILURE_KIND_CONNECTION_LOST
    assert "idle for too long" in failure.text


async def test_what_has_failed_stays_so() -> None:
    async with open_wire() as (wire, _):
        wire.owed(3)
        wire.data_received(b"250 one\r\nnonsense\r\n250 two\r\n")
        assert not wire.usable
        assert await wire.reply(1) == Reply(250, "one")
        for _ in range(2):
            with pytest.raises(WireFailed) as failed:
                await wire.reply(1)
            assert failed.value.kind == FailureKind.FAILURE_KIND_PROTOCOL_ERROR


@pytest.mark.parametrize(("read", "sent"), [(1_000_000, True), (100_000, False)])
async def test_what_a_server_has_taken_before_it_hangs_up_counts_as_sent(
    monkeypatch: pytest.MonkeyPatch, read: int, sent: bool
) -> None:
    """Whether or not we had looked before: what is left unsent is dropped with the connection."""
    monkeypatch.setattr(wire_module, "_LOOK_SECONDS", 60.0)
    loop = asyncio.get_running_loop()
    async with open_wire() as (wire, theirs):
        wire.write(b"x" * 1_000_000)
        sending = asyncio.create_task(wire.sent(loop.time() + 60.0))
        while read > 0:
            read -= len(await loop.sock_recv(theirs, min(read, 65_536)))
        theirs.shutdown(socket.SHUT_WR)

        assert await sending is sent


async def test_what_is_written_after_the_server_has_hung_up_was_not_sent() -> None:
    loop = asyncio.get_running_loop()
    async with open_wire() as (wire, _):
        wire.eof_received()
        wire.write(b"x")

        assert not await wire.sent(loop.time() + 60.0)


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_who_stood_still_reads_what_has_come_before_it_gives_up(
    loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """Its time is over, and the answer is there: what says that a message was taken must not be missed."""

    async def stand_still() -> Reply:
        async with open_wire() as (wire, theirs):
            wire.owed(1)
            reading = asyncio.create_task(wire.reply(0.01))
            await asyncio.sleep(0)
            theirs.send(b"250 queued\r\n")
            time.sleep(0.05)  # noqa: ASYNC251 -- SIGSTOP, the pause of a virtual machine
            return await reading

    with asyncio.Runner(loop_factory=loop) as runner:
        assert runner.run(stand_still()) == Reply(250, "queued")


async def test_who_reads_slowly_is_looked_at_ever_more_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []

    async def woken(self: Wire, seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 8:
            self.eof_received()

    monkeypatch.setattr(Wire, "_woken", woken)
    async with open_wire() as (wire, _):
        wire.write(b"x" * 1_000_000)
        assert not await wire.sent(asyncio.get_running_loop().time() + 60.0)

    assert waits == [0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.2, 0.2]
