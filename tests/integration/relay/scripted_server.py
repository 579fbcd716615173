"""An SMTP server that answers exactly what a test tells it, however wrong."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True)
class Endless:
    """A reply that never ends: `unit` again and again, as fast as the client reads."""

    unit: bytes


@dataclass(frozen=True)
class Dripping:
    """A reply of which an octet comes every `seconds`."""

    octets: bytes
    seconds: float


# In place of a reply:
HANGS_UP: Final = None
SILENCE: Final = b""

Reply = bytes | Endless | Dripping | None

EHLO = b"250-mx.test\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE 1000000\r\n"
EHLO_STARTTLS = b"250-mx.test\r\n250 STARTTLS\r\n"
EHLO_PIPELINING = b"250-mx.test\r\n250-PIPELINING\r\n250 SIZE 1000000\r\n"
EHLO_BOTH = b"250-mx.test\r\n250-PIPELINING\r\n250-STARTTLS\r\n250 SIZE 1000000\r\n"
_USUAL: dict[str, Reply] = {
    "BANNER": b"220 mx.test ESMTP\r\n",
    "EHLO": EHLO,
    "HELO": b"250 mx.test\r\n",
    "STARTTLS": b"220 go ahead\r\n",
    "MAIL": b"250 2.1.0 Ok\r\n",
    "RCPT": b"250 2.1.5 Ok\r\n",
    "DATA": b"354 go ahead\r\n",
    "DOT": b"250 2.0.0 Ok: queued as 4711\r\n",
    "RSET": b"250 2.0.0 Ok\r\n",
    "QUIT": b"221 2.0.0 Bye\r\n",
}


@dataclass
class ScriptedServer:
    """Replies by verb ("BANNER" and "DOT" among them). A list is used up, its last reply stays.

    reads_content False: the DOT reply comes when the content has just begun, the rest is not read.
    `pieces` cuts what the server says, each piece goes out alone. `lines` are the commands as they came,
    `contents` what came after each DATA, dot included; `transcript` has both in their order, with DOT for a
    content. `resumed` says of each TLS handshake whether it took up an
    earlier one's session. `connections` counts those made, `open` those that neither side has closed.
    """

    replies: Mapping[str, Reply | list[Reply]] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    reads_content: bool = True
    lines: list[bytes] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    transcript: list[str] = field(default_factory=list)
    pieces: Callable[[bytes], Iterable[bytes]] | None = None
    resumed: list[bool] = field(default_factory=list)
    connections: int = 0
    open: int = 0
    _used: dict[str, int] = field(default_factory=dict)
    _writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one connection; a callback for asyncio.start_server."""
        self.connections += 1
        self.open += 1
        self._writers.append(writer)
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await self._converse(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client is gone, or the test is over
        finally:
            self.open -= 1
            writer.transport.abort()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        step = "BANNER"
        while (reply := self._reply(step)) is not HANGS_UP:
            await self._say(writer, reply)
            if step == "QUIT":
                return
            said = b"\n" + reply if isinstance(reply, bytes) else b""
            if step == "STARTTLS" and b"\n220" in said:
                if self.tls is None:
                    writer.write(b"this is no TLS record at all\r\n")
                    await reader.read(1)
                    return
                await writer.start_tls(self.tls)
                self.resumed.append(writer.get_extra_info("ssl_object").session_reused)
            if step == "DATA" and b"\n3" in said:
                if not self.reads_content:
                    await self._answer_half_way(reader, writer)
                    return
                self.contents.append(await self._content(reader))
                step = "DOT"
            else:
                line = (await reader.readuntil(b"\r\n")).removesuffix(b"\r\n")
                self.lines.append(line)
                step = line[:8].split(b" ")[0].decode().upper()
            self.transcript.append(step)
        # Nothing more is said.

    async def _say(self, writer: asyncio.StreamWriter, reply: bytes | Endless | Dripping) -> None:
        match reply:
            case Endless(unit):
                while True:
                    writer.write(unit)
                    await writer.drain()
            case Dripping(octets, seconds):
                for octet in octets:
                    writer.write(bytes([octet]))
                    await writer.drain()
                    await asyncio.sleep(seconds)
            case octets:
                for piece in self.pieces(octets) if self.pieces else [octets]:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0)

    async def _content(self, reader: asyncio.StreamReader) -> bytes:
        lines = []
        while not lines or lines[-1] != b".\r\n":
            lines.append(await reader.readuntil(b"\r\n"))
        return b"".join(lines)

    async def _answer_half_way(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        if (reply := self._reply("DOT")) is not HANGS_UP:
            await self._say(writer, reply)
            await asyncio.Event().wait()  # until the test's loop ends

    def hang_up(self) -> None:
        """Close all connections."""
        for writer in self._writers:
            writer.close()

    def _reply(self, step: str) -> Reply:
        reply = self.replies.get(step, _USUAL.get(step, b"502 5.5.1 what?\r\n"))
        if not isinstance(reply, list):
            return reply
        used = self._used.get(step, 0)
        self._used[step] = used + 1
        return reply[min(used, len(reply) - 1)]

    @property
    def verbs(self) -> list[str]:
        """The verbs of `lines`."""
        return [line.split(b" ")[0].decode() for line in self.lines]
