"""Reading an SMTP connection: command lines and contents out of one buffer."""

from __future__ import annotations

import asyncio
import ssl

_CHUNK_OCTETS = 256 * 1024
# A sender of longer commands is not one of mail (RFC 5321 section 4.5.3.1.4, with room for extensions).
_COMMAND_OCTETS = 16 * 1024
_END = b"\r\n.\r\n"


class Gone(Exception):
    """The other side has left, or shall leave."""


class Lines:
    """One connection. Answers are held back while commands wait, as RFC 2920 section 3.2 asks for."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._buffer = bytearray()
        self._answers: list[bytes] = []

    @property
    def waiting(self) -> bool:
        """Whether the other side has sent more than was read."""
        return bool(self._buffer)

    @property
    def tls(self) -> str:
        """The TLS version, "" without TLS."""
        secured = self._writer.get_extra_info("ssl_object")
        return secured.version() or "" if secured is not None else ""

    def say(self, reply: str) -> None:
        self._answers.append(reply.encode("utf-8", "surrogateescape") + b"\r\n")

    async def flush(self) -> None:
        if self._answers:
            self._writer.write(b"".join(self._answers))
            self._answers.clear()
            try:
                await self._writer.drain()
            except ConnectionError as error:
                raise Gone from error

    async def command(self) -> str:
        """The next line without its CRLF; octets that are not UTF-8 become surrogates. Raises Gone."""
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > _COMMAND_OCTETS:
                raise Gone
            await self._more()
        line = self._buffer[:end].decode("utf-8", "surrogateescape")
        del self._buffer[: end + 2]
        return line

    async def content(self) -> bytes:
        """What comes up to the final dot, with the dots unstuffed (RFC 5321 section 4.5.2). Raises Gone."""
        searched = 0
        while not self._buffer.startswith(b".\r\n"):
            end = self._buffer.find(_END, searched)
            if end >= 0:
                stuffed = b"\r\n" + self._buffer[: end + 2]
                del self._buffer[: end + len(_END)]
                # Only the dot that begins a line goes, and there is no CRLF.CRLF inside.
                return bytes(stuffed.replace(b"\r\n.", b"\r\n")[2:])
            searched = max(0, len(self._buffer) - len(_END) + 1)
            await self._more()
        del self._buffer[:3]
        return b""

    async def until_gone(self) -> None:
        """Say nothing more; return when the other side has left."""
        await self.flush()
        while True:
            self._buffer.clear()
            try:
                await self._more()
            except Gone:
                return

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Secure the connection. What came in the clear after STARTTLS is forgotten. Raises Gone."""
        await self.flush()
        self._buffer.clear()
        try:
            await self._writer.start_tls(context)
        except OSError as error:  # SSLError and ConnectionError are among them
            raise Gone from error

    async def break_tls(self) -> None:
        """Answer the TLS handshake with what is none."""
        await self.flush()
        await self._more()
        self._buffer.clear()
        self._writer.write(b"This is not TLS\r\n")

    async def _more(self) -> None:
        await self.flush()
        try:
            chunk = await self._reader.read(_CHUNK_OCTETS)
        except OSError as error:
            raise Gone from error
        if not chunk:
            raise Gone
        self._buffer += chunk
