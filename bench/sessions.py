"""What an SMTP transaction and a TLS handshake cost: CPU time of the sending side, over loopback.

    python -m bench.sessions [--messages N] [--octets N] [--rounds N]

The receiver is a process of its own and answers at once. Prints microseconds of CPU per message, and per
connection from TCP to QUIT: medians of rounds in which the ways take turns, on uvloop as in production.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress

import aiosmtplib
import uvloop

from demo.receiver.certificate import server_context
from services.relay.connection import Timeouts
from services.relay.connector import Connector
from services.relay.mx import MxHost, Route
from services.relay.networks import Networks
from services.relay.transaction import Delivered, Transaction

_ADDRESS = "127.0.0.1"
_ROUTE = Route(((10, MxHost("mx.bench.example", (_ADDRESS,))),))
# At once: answers of several connections come in one turn of the loop, as they do in the Relay.
_CONNECTIONS = 8
_MESSAGES_PER_CONNECTION = 500
_PATIENT = Timeouts(connect=10, greeting=10, command=10, data=10, dot=10)
_ANSWERS = {b"MAIL": b"250 ok\r\n", b"RCPT": b"250 ok\r\n", b"DATA": b"354 go\r\n", b"QUIT": b"221 bye\r\n"}


class _Receiver:
    """Listens on a port with PIPELINING and on another one without. Does as little as it can."""

    def __init__(self) -> None:
        self._tls = server_context([_ROUTE.hosts[0].name])

    async def serve(self) -> None:
        listeners = [
            await asyncio.start_server(talk, _ADDRESS, 0) for talk in (self._grouped, self._singly)
        ]
        print(*(listener.sockets[0].getsockname()[1] for listener in listeners), flush=True)
        # Ends with the one that started us.
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

    async def _grouped(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._talk(
            reader, writer, b"250-mx\r\n250-STARTTLS\r\n250-PIPELINING\r\n250 SIZE 99999999\r\n"
        )

    async def _singly(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._talk(reader, writer, b"250-mx\r\n250-STARTTLS\r\n250 SIZE 99999999\r\n")

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, hello: bytes) -> None:
        writer.write(b"220 mx\r\n")
        buffer, in_content = bytearray(), False
        with suppress(OSError):
            while more := await reader.read(256 * 1024):
                buffer += more
                answers, end = bytearray(), b"\r\n.\r\n" if in_content else b"\r\n"
                while (found := buffer.find(end)) >= 0:
                    verb = b"" if in_content else bytes(buffer[:4])
                    del buffer[: found + len(end)]
                    if verb == b"STAR":
                        writer.write(b"220 go\r\n")
                        await writer.start_tls(self._tls)
                    else:
                        answers += hello if verb == b"EHLO" else _ANSWERS.get(verb, b"250 ok\r\n")
                    in_content = verb == b"DATA"
                    end = b"\r\n.\r\n" if in_content else b"\r\n"
                writer.write(bytes(answers))
        writer.close()


# The ways to send; each gives how many messages, or connections, it was.


def _connector(port: int, tls: bool) -> Connector:
    return Connector(
        Networks(["127.0.0.0/8"]),
        ehlo_name="bench.example",
        port=port,
        timeouts=_PATIENT,
        starttls=tls,
        messages_per_connection=_MESSAGES_PER_CONNECTION,
    )


def _messages(count: int, octets: int) -> Iterator[Transaction]:
    line = b"All work and no play makes Jack a dull boy, and this line has its 78 octets.\r\n"
    content = b"Subject: bench\r\n\r\n" + line * (octets // len(line))
    for number in range(count):
        yield Transaction(
            "a@bench.example", f"to{number}@x.example", b"X: " + b"s" * 400 + b"\r\n", content, False, False
        )


async def _send(connector: Connector, messages: Iterator[Transaction], announces: bool) -> None:
    """One connection after the other, until there are no more messages."""
    following = next(messages, None)
    while following is not None:
        session = await connector.open(_ROUTE)
        while following is not None and session.usable:
            message, following = following, None

            def announce() -> Transaction | None:
                nonlocal following
                following = next(messages, None)
                return following

            result = await session.send(message, announce if announces else None)
            assert isinstance(result, Delivered), result
            following = following or next(messages, None)
        await session.close()


def _ours(port: int, octets: int, *, tls: bool, announces: bool) -> Callable[[int], Awaitable[None]]:
    connector = _connector(port, tls)

    async def send(count: int) -> None:
        messages = _messages(count, octets)
        await asyncio.gather(*(_send(connector, messages, announces) for _ in range(_CONNECTIONS)))

    return send


def _theirs(port: int, octets: int) -> Callable[[int], Awaitable[None]]:
    async def connection(messages: Iterator[Transaction]) -> None:
        async with aiosmtplib.SMTP(hostname=_ADDRESS, port=port, start_tls=False) as smtp:
            for each in messages:
                await smtp.sendmail(each.mail_from, each.rcpt_to, each.signature + each.content)

    async def send(count: int) -> None:
        messages = _messages(count, octets)
        await asyncio.gather(*(connection(messages) for _ in range(_CONNECTIONS)))

    return send


def _connecting(port: int, *, tls: bool, resumes: bool) -> Callable[[int], Awaitable[None]]:
    connector = _connector(port, tls)

    async def connect(count: int) -> None:
        for _ in range(count):
            if connector._tls is not None and not resumes:
                connector._tls._sessions.clear()
            session = await connector.open(_ROUTE)
            await session.close()

    return connect


async def _measure(arguments: argparse.Namespace, grouped: int, singly: int) -> None:
    octets, messages = arguments.octets, arguments.messages
    ways: dict[str, tuple[int, Callable[[int], Awaitable[None]]]] = {
        "message, next envelope behind the dot": (
            messages,
            _ours(grouped, octets, tls=False, announces=True),
        ),
        "message, commands in groups": (messages, _ours(grouped, octets, tls=False, announces=False)),
        "message, one by one": (messages, _ours(singly, octets, tls=False, announces=False)),
        "message, next envelope behind the dot, TLS": (
            messages,
            _ours(grouped, octets, tls=True, announces=True),
        ),
        "message, one by one, TLS": (messages, _ours(singly, octets, tls=True, announces=False)),
        "message, aiosmtplib's sendmail": (messages, _theirs(singly, octets)),
        "connection": (messages // 10, _connecting(grouped, tls=False, resumes=False)),
        "connection, TLS": (messages // 10, _connecting(grouped, tls=True, resumes=False)),
        "connection, TLS resumed": (messages // 10, _connecting(grouped, tls=True, resumes=True)),
    }
    spent: dict[str, list[float]] = {name: [] for name in ways}
    walls: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(arguments.rounds):
        for name, (count, way) in ways.items():
            cpu, wall = time.process_time(), time.perf_counter()
            await way(count)
            spent[name].append((time.process_time() - cpu) / count * 1e6)
            walls[name].append(count / (time.perf_counter() - wall))
    for name in ways:
        cpu, rate = statistics.median(spent[name]), statistics.median(walls[name])
        print(f"{cpu:7.0f} us CPU  {rate:8,.0f}/s  {name}")


def main() -> None:
    """Start a receiver and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=2_000)
    parser.add_argument("--octets", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--asyncio", action="store_true", help="asyncio's own loop")
    parser.add_argument("--receive", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.receive:
        uvloop.run(_Receiver().serve())
        return
    command = [sys.executable, "-m", "bench.sessions", "--receive"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as receiver:
        assert receiver.stdout is not None
        grouped, singly = map(int, receiver.stdout.readline().split())
        run = asyncio.run if arguments.asyncio else uvloop.run
        run(_measure(arguments, grouped, singly))
        receiver.communicate()


if __name__ == "__main__":
    main()
