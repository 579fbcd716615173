"""A server that breaks RFC 5321 section 2.3.8 as the smuggled-to ones did: any dot alone ends a message."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field

_LINE_END = re.compile(rb"\r\n|\n|\r(?!\n)")
_END = re.compile(rb"(?:\A|\r\n|\n|\r)\.(?:\r\n|\n|\r(?!\n))")
_EXTENSIONS = b"250-lax.test\r\n250-8BITMIME\r\n250-PIPELINING\r\n250 SIZE 1000000\r\n"
_ANSWERS = {b"EHLO": _EXTENSIONS, b"DATA": b"354 go\r\n", b"QUIT": b"221 bye\r\n"}


@dataclass
class LaxServer:
    """Takes everything. `mails`: for each message its MAIL command and its content, still dot-stuffed."""

    mails: list[tuple[bytes, bytes]] = field(default_factory=list)
    commands: list[bytes] = field(default_factory=list)
    reads_content: bool = True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one connection; a callback for asyncio.start_server."""
        writer.write(b"220 lax.test\r\n")
        buffer, mail, in_content = b"", b"", False
        try:
            while more := await reader.read(65536):
                buffer += more
                # What follows a CR may be its LF.
                while not buffer.endswith(b"\r") and (
                    found := (_END if in_content else _LINE_END).search(buffer)
                ):
                    said, buffer = buffer[: found.start()], buffer[found.end() :]
                    if in_content:
                        self.mails.append((mail, said))
                        writer.write(b"250 queued\r\n")
                        in_content = False
                        continue
                    self.commands.append(said)
                    verb = said[:4].upper()
                    mail = said if verb == b"MAIL" else mail
                    in_content = verb == b"DATA"
                    writer.write(_ANSWERS.get(verb, b"250 ok\r\n"))
        except (OSError, asyncio.CancelledError):
            pass  # the client is gone, or the test is over
        finally:
            writer.transport.abort()
