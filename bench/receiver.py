"""The receiving side, in a process of its own: a fast SMTP server for all domains, and their name server.

It reads commands from standard input and answers each with a line of JSON: "stats", "samples", "reset". A
message is "seen" when the receiver has answered its final dot, or has put it off on purpose.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import ssl
import sys
import time
import zlib
from pathlib import Path
from typing import cast

import trustme
import uvloop

from bench.names import Names, address

_DOT = b"\r\n.\r\n"
_KEPT = 500  # one message of so many is kept, for its signature to be verified


class Counts:
    """What the receiver has seen since the last reset."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self.accepted: set[bytes] = set()
        self.put_off: set[bytes] = set()
        self.duplicates = self.connections = self.tls = 0
        self.last = 0.0
        self.samples: list[str] = []

    def stats(self) -> dict[str, object]:
        return {
            "seen": len(self.seen),
            "accepted": len(self.accepted),
            "put_off": len(self.put_off),
            "duplicates": self.duplicates,
            "connections": self.connections,
            "tls": self.tls,
            "last": self.last,
        }


class Receiver:
    """What all connections share."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.delay: float = arguments.delay
        self.put_off: float = arguments.put_off
        self.tls = _tls() if arguments.tls else None
        self.tarpit = set(arguments.tarpit.encode().split())
        self.uncounted = set(arguments.uncounted.encode().split())
        self.dead = {address(int(domain[1:5])) for domain in arguments.dead.split()}
        self.counts = Counts()

    def puts_off(self, recipient: bytes) -> bool:
        """Whether a recipient is refused for now: a fixed share, each once."""
        if not self.put_off or recipient in self.counts.put_off:
            return False
        if zlib.crc32(recipient) / 2**32 >= self.put_off:
            return False
        self.counts.put_off.add(recipient)
        self.saw(recipient)
        return True

    def saw(self, recipient: bytes) -> None:
        """A message's first answer has been given."""
        if recipient not in self.counts.seen and recipient.rpartition(b"@")[2] not in self.uncounted:
            self.counts.seen.add(recipient)
            self.counts.last = time.monotonic()

    def accept(self, recipient: bytes, content: bytes) -> None:
        """A message has been taken; the recipients' addresses are as unique as the messages."""
        counts = self.counts
        self.saw(recipient)
        if recipient in counts.accepted:
            counts.duplicates += 1
        counts.accepted.add(recipient)
        if len(counts.accepted) % _KEPT == 1:
            counts.samples.append(content.decode("latin-1"))


class Connection(asyncio.Protocol):
    """One SMTP conversation."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self._buffer = b""
        self._in_content = False
        self._recipient = b""
        self._secured = False
        # In the middle of STARTTLS, or stuck in the tarpit: what comes is kept, and nothing is said.
        self._silent = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclasses of asyncio's
        self._receiver.counts.connections += 1
        if transport.get_extra_info("sockname")[0] in self._receiver.dead:
            self._silent = True
            return
        # The TCP handshake is a round trip as well.
        self._say([b"220 bench ESMTP\r\n"], self._receiver.delay)

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        self._answer()

    def _answer(self) -> None:
        replies: list[bytes] = []
        while self._buffer and not self._silent:
            if not (self._take_content if self._in_content else self._take_line)(replies):
                break
        if replies:
            self._say(replies)

    def _say(self, replies: list[bytes], more: float = 0.0) -> None:
        delay = self._receiver.delay + more
        if delay:
            asyncio.get_running_loop().call_later(delay, self._write, b"".join(replies))
        else:
            self._write(b"".join(replies))

    def _write(self, octets: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(octets)

    def _take_content(self, replies: list[bytes]) -> bool:
        end = self._buffer.find(_DOT)
        if end < 0:
            return False
        content, self._buffer = self._buffer[: end + 2], self._buffer[end + len(_DOT) :]
        self._in_content = False
        self._receiver.accept(self._recipient, content)
        replies.append(b"250 2.0.0 ok\r\n")
        return True

    def _take_line(self, replies: list[bytes]) -> bool:
        line, ended, rest = self._buffer.partition(b"\r\n")
        if not ended:
            return False
        self._buffer = rest
        verb = line[:4].upper()
        if verb == b"MAIL":
            self._recipient = b""
            replies.append(b"250 2.1.0 ok\r\n")
        elif verb == b"RCPT":
            recipient = line[line.find(b"<") + 1 : line.find(b">")]
            if recipient.rpartition(b"@")[2] in self._receiver.tarpit:
                self._silent = True
                self._transport.pause_reading()
            else:
                replies.append(self._rcpt(recipient))
        elif verb == b"DATA":
            self._in_content = bool(self._recipient)
            replies.append(b"354 go on\r\n" if self._in_content else b"503 5.5.1 no recipients\r\n")
        elif verb in (b"EHLO", b"HELO"):
            starttls = b"250-STARTTLS\r\n" if self._receiver.tls and not self._secured else b""
            replies.append(
                b"250-bench\r\n" + starttls + b"250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 0\r\n"
            )
        elif verb == b"STAR":
            # RFC 3207 section 4.2: what was said before counts no more.
            self._silent, self._buffer = True, b""
            self._securing = asyncio.get_running_loop().create_task(self._secure())
        elif verb == b"QUIT":
            self._write(b"221 2.0.0 bye\r\n")
            self._transport.close()
            return False
        else:
            replies.append(b"250 2.0.0 ok\r\n")
        return True

    def _rcpt(self, recipient: bytes) -> bytes:
        if self._receiver.puts_off(recipient):
            return b"451 4.7.1 later, please\r\n"
        self._recipient = recipient
        return b"250 2.1.5 ok\r\n"

    async def _secure(self) -> None:
        # The handshake costs a round trip more than its reply.
        await asyncio.sleep(2 * self._receiver.delay)
        self._write(b"220 2.0.0 go on\r\n")
        loop = asyncio.get_running_loop()
        assert self._receiver.tls is not None
        try:
            secured = await loop.start_tls(self._transport, self, self._receiver.tls, server_side=True)
        except (OSError, RuntimeError):  # RuntimeError: uvloop's word for a client that has hung up
            return
        if secured is not None:
            self._transport = secured
            self._secured, self._silent = True, False
            self._receiver.counts.tls += 1
            # The client's EHLO may have come with the end of its handshake.
            self._answer()


def _tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("mx.bench").configure_cert(context)
    return context


async def _serve(arguments: argparse.Namespace) -> None:
    receiver = Receiver(arguments)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(receiver), "0.0.0.0", arguments.port, backlog=4096)
    names, _ = await loop.create_datagram_endpoint(Names, local_addr=("127.0.0.1", arguments.dns_port))
    ports = {
        "smtp": server.sockets[0].getsockname()[1],
        "dns": names.get_extra_info("sockname")[1],
    }
    print(json.dumps(ports), flush=True)
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while command := await reader.readline():
        if command.strip() == b"reset":
            receiver.counts = Counts()
        samples = command.strip() == b"samples"
        print(
            json.dumps({"samples": receiver.counts.samples} if samples else receiver.counts.stats()),
            flush=True,
        )


def main() -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(prog=f"python -m bench.{Path(__file__).stem}", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="SMTP port; default: any")
    parser.add_argument("--dns-port", type=int, default=0, help="port of the name server; default: any")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each group of replies")
    parser.add_argument("--put-off", type=float, default=0.0, help="share of recipients answered 451 once")
    parser.add_argument("--tls", action="store_true", help="offer STARTTLS")
    parser.add_argument("--tarpit", default="", help="domains whose recipients are never answered")
    parser.add_argument("--dead", default="", help="domains whose server accepts, and never greets")
    parser.add_argument("--uncounted", default="", help="domains whose messages are not seen")
    uvloop.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
