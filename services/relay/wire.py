"""SMTP lines on an open connection: replies in order, each within its own deadline, and nothing unasked.

It takes over a connection once the extensions are known, in the clear or under TLS. A reply belongs to the
oldest command that has none; one that no command waits for means that we and the server are out of step,
and whatever it says from then on could be about anything: such a connection is used no more.
"""

from __future__ import annotations

import asyncio
import re
from collections import deque
from typing import NamedTuple

from emta.bounce.v1.smtp_reply_pb2 import FailureKind

# RFC 5321 section 4.5.3.1.5 allows 512 octets a line, and servers exceed it; nobody needs more than this.
_LONGEST_LINE, _LONGEST_REPLY = 8 * 1024, 32 * 1024
_REPLY_LINE = re.compile(rb"[2-5][0-9]{2}(?:[ -]|\Z)")
_SERVICE_CLOSING = 421  # RFC 5321 section 4.2.3: the server closes the connection after it
# Between looks at how much of a large content has left: at first, and twice as long each time, up to the
# longest. Hundreds that read slowly must not take the processor.
_LOOK_SECONDS, _LONGEST_LOOK_SECONDS = 0.005, 0.2


class Reply(NamedTuple):
    """What a server said: a code of 200 to 599, and its lines without codes, joined by LF."""

    code: int
    text: str

    @property
    def kind(self) -> int:
        """First digit of the code."""
        return self.code // 100


class WireFailed(Exception):
    """No valid reply came: TIMEOUT, CONNECTION_LOST or PROTOCOL_ERROR, and a line that says more."""

    def __init__(self, kind: FailureKind, text: str) -> None:
        super().__init__(text)
        self.kind = kind
        self.text = text


class Wire(asyncio.Protocol):
    """One connection's commands and replies."""

    def __init__(self, transport: asyncio.Transport, below: asyncio.Transport) -> None:
        """`below` is the transport under TLS; without TLS the same as `transport`."""
        self._transport = transport
        self._below = below
        self._buffer = b""
        self._lines: list[bytes] = []
        self._octets = 0
        self._replies: deque[Reply] = deque()
        self._outstanding = 0
        self._waiting: asyncio.Future[None] | None = None
        self._failure: WireFailed | None = None
        self._in_step = True
        self._left_at_end: int | None = None  # octets that were unsent when the server hung up
        transport.set_protocol(self)

    @property
    def usable(self) -> bool:
        """Whether the server is there, and in step with us."""
        return self._in_step and self._failure is None

    @property
    def failure(self) -> WireFailed | None:
        """Why nothing more will come, if that is so."""
        return self._failure

    @property
    def answered(self) -> bool:
        """Whether a reply waits to be read."""
        return bool(self._replies)

    def owed(self, replies: int) -> None:
        """From now on the server may send so many replies more."""
        self._outstanding += replies

    def write(self, data: bytes, replies: int = 0) -> None:
        """Send; the server owes us so many replies for it."""
        self._outstanding += replies
        if self._failure is None:
            self._transport.write(data)
        else:
            self._left_at_end = None

    async def sent(self, by: float, behind: int = 0) -> bool:
        """Wait until all but the last `behind` octets are handed over, until the loop's time `by`.

        Gives False when the server answered, or was lost, before that. Raises WireFailed TIMEOUT.
        """
        # uvloop writes when its turn is over.
        await asyncio.sleep(0)
        look = _LOOK_SECONDS
        while self._unsent() > behind:
            if self._replies or self._failure is not None:
                return False
            if asyncio.get_running_loop().time() > by:
                self.close()
                raise WireFailed(FailureKind.FAILURE_KIND_TIMEOUT, "the content was not taken in time")
            await self._woken(look)
            look = min(2 * look, _LONGEST_LOOK_SECONDS)
        # A lost connection drops its buffer: empty does not mean sent.
        taken = self._left_at_end is not None and self._left_at_end <= behind
        return bool(self._replies) or self._failure is None or taken

    async def reply(self, seconds: float) -> Reply:
        """Give the next reply; `seconds` is for all of it, however slowly it drips. Raises WireFailed."""
        if not self._replies:
            await self._woken(seconds)
        if self._replies:
            return self._replies.popleft()
        if self._failure is None:
            self._fail(FailureKind.FAILURE_KIND_TIMEOUT, "no answer in time")
        assert self._failure is not None
        raise self._failure

    def close(self) -> None:
        """Close at once."""
        self._in_step = False
        self._below.abort()

    async def _woken(self, seconds: float) -> None:
        """Wait for a reply or a failure, for so long."""
        if self._failure is not None:
            return
        loop = asyncio.get_running_loop()
        self._waiting = loop.create_future()
        timer = loop.call_later(seconds, self._wake)
        try:
            await self._waiting
        finally:
            timer.cancel()
            self._waiting = None

    # asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        if self._failure is not None:
            return
        lines = (self._buffer + data).split(b"\n") if self._buffer else data.split(b"\n")
        self._buffer = lines.pop()
        for line in lines:
            self._take(line)
        self._octets_left()

    def eof_received(self) -> None:
        self._left_at_end = self._unsent()
        self._fail(FailureKind.FAILURE_KIND_CONNECTION_LOST, "the connection was lost")

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(FailureKind.FAILURE_KIND_CONNECTION_LOST, "the connection was lost")

    def _take(self, line: bytes) -> None:
        """Take a line of a reply (RFC 5321 section 4.2.1)."""
        if self._failure is not None:
            return
        line = line.removesuffix(b"\r")
        if not is_reply_line(line, self._lines[0] if self._lines else line):
            self._fail(FailureKind.FAILURE_KIND_PROTOCOL_ERROR, f"unexpected reply: {_text(line[:200])}")
            return
        self._lines.append(line)
        self._octets += len(line)
        if self._octets > _LONGEST_REPLY or len(line) > _LONGEST_LINE:
            self._fail(FailureKind.FAILURE_KIND_PROTOCOL_ERROR, "an endless reply")
        elif line[3:4] != b"-":
            reply = Reply(int(line[:3]), _text(b"\n".join([part[4:] for part in self._lines])))
            self._lines, self._octets = [], 0
            self._told(reply)

    def _octets_left(self) -> None:
        if len(self._buffer) > _LONGEST_LINE:
            self._fail(FailureKind.FAILURE_KIND_PROTOCOL_ERROR, "an endless line")

    def _told(self, reply: Reply) -> None:
        if reply.code == _SERVICE_CLOSING:
            self._in_step = False
        if self._outstanding:
            self._outstanding -= 1
            self._replies.append(reply)
            self._wake()
        elif reply.code == _SERVICE_CLOSING:
            # What a server says before it closes an idle connection.
            self._fail(FailureKind.FAILURE_KIND_CONNECTION_LOST, f"the server closed: 421 {reply.text}")
        else:
            self._fail(FailureKind.FAILURE_KIND_PROTOCOL_ERROR, "more answers than commands")

    def _fail(self, kind: FailureKind, text: str) -> None:
        """Nothing that comes from here on counts. Closed at once, lest somebody floods us unheard."""
        if self._failure is None:
            self._failure = WireFailed(kind, text)
            self.close()
            self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _unsent(self) -> int:
        unsent = self._below.get_write_buffer_size()
        if self._transport is not self._below:
            unsent += self._transport.get_write_buffer_size()
        return unsent


def is_reply_line(line: bytes, first: bytes) -> bool:
    """Whether `line`, without its end, can stand in a reply with `first` (RFC 5321 section 4.2)."""
    return _REPLY_LINE.match(line) is not None and line.startswith(first[:3])


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")
