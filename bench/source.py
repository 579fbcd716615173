"""The sending side, in a process of its own: makes the messages, waits for a line, hands them over.

By gRPC to the Relay, as Campaign does, or by SMTP to a peer. Answers in lines of JSON: that it is ready,
and at the end when it began and ended (CLOCK_MONOTONIC), and how many messages were refused.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Iterator, Sequence

import uvloop

from bench.messages import SENDER, contents, recipient
from emta.client import Client
from emta.problems import Problem
from emta.relay.v1.message_pb2 import Message

_STREAMS = 4
_SESSIONS = 20  # as the peers' own injector, smtp-source, is commonly used
_LEFT_AFTER_SECONDS = 0.1  # how often a source with a set rate hands over what is due


def _contents(arguments: argparse.Namespace, numbers: Sequence[int]) -> Iterator[bytes]:
    template = arguments.template
    return contents(arguments.run, numbers, arguments.size, arguments.domains, template=template)


def _messages(arguments: argparse.Namespace, numbers: Sequence[int]) -> Iterator[Message]:
    not_before = int(time.time()) + arguments.not_before if arguments.not_before else None
    for number, content in zip(numbers, _contents(arguments, numbers), strict=True):
        message = Message(
            message_id=str(number),
            delivery_id=arguments.run,
            mail_from=SENDER,
            rcpt_to=recipient(arguments.run, number, arguments.domains),
            content=content,
        )
        if not_before is not None:
            message.not_before_time.FromSeconds(not_before)
        yield message


class _Grpc:
    """Hands over to the Relay. `lazily`: makes each message in its turn, where memory cannot hold all."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._made: list[Message] = []
        if not arguments.lazily:
            self._made = list(_messages(arguments, range(arguments.messages)))

    async def hand_over(self) -> int:
        """Give how many messages were refused."""
        arguments = self._arguments
        async with Client(arguments.relay) as client:
            if arguments.per_second:
                return await self._at_a_rate(client)
            parts = [range(first, arguments.messages, _STREAMS) for first in range(_STREAMS)]
            refused = await asyncio.gather(*(_submit(client, self._part(part)) for part in parts if part))
        return sum(refused)

    def _part(self, numbers: range) -> Iterator[Message]:
        if self._made:
            return iter(self._made[numbers.start :: numbers.step])
        return _messages(self._arguments, numbers)

    async def _at_a_rate(self, client: Client) -> int:
        step = max(1, int(self._arguments.per_second * _LEFT_AFTER_SECONDS))
        began = time.monotonic()
        submissions = []
        for first in range(0, len(self._made), step):
            wait = began + first / self._arguments.per_second - time.monotonic()
            await asyncio.sleep(max(0.0, wait))
            part = iter(self._made[first : first + step])
            submissions.append(asyncio.create_task(_submit(client, part)))
        return sum(await asyncio.gather(*submissions))


async def _submit(client: Client, messages: Iterator[Message]) -> int:
    return sum([result.WhichOneof("result") == "error" async for result in client.submit(messages)])


class _Smtp:
    """Hands over to a peer, in parallel sessions."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._made = list(_contents(arguments, range(arguments.messages)))

    async def hand_over(self) -> int:
        """Give how many messages were refused."""
        firsts = range(min(_SESSIONS, len(self._made)))
        return sum(await asyncio.gather(*(self._session(first) for first in firsts)))

    async def _session(self, first: int) -> int:
        refused = 0
        host, _, port = self._arguments.smtp.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        await reader.readline()
        writer.write(b"EHLO source.bench\r\n")
        while (await reader.readline())[3:4] == b"-":
            pass
        for number in range(first, len(self._made), _SESSIONS):
            to = recipient(self._arguments.run, number, self._arguments.domains)
            writer.write(f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{to}>\r\nDATA\r\n".encode())
            replies = [await reader.readline() for _ in range(3)]
            if not replies[-1].startswith(b"354"):
                refused += 1
                continue
            writer.write(self._made[number] + b".\r\n")
            refused += not (await reader.readline()).startswith(b"250")
        writer.write(b"QUIT\r\n")
        await reader.readline()
        writer.close()
        return refused


async def _main(arguments: argparse.Namespace) -> None:
    way = _Smtp(arguments) if arguments.smtp else _Grpc(arguments)
    print(json.dumps({"ready": arguments.messages}), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    began = time.monotonic()
    refused = await way.hand_over()
    print(json.dumps({"began": began, "ended": time.monotonic(), "refused": refused}), flush=True)
    # Our own figures are read from /proc while we are still there.
    await asyncio.to_thread(sys.stdin.readline)


def main() -> int:
    """Read the arguments, hand over, and give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.source", description=__doc__)
    parser.add_argument("--run", required=True, help="name of the run, in every recipient's address")
    parser.add_argument("--messages", type=int, required=True)
    parser.add_argument("--size", type=int, required=True, help="octets")
    parser.add_argument("--domains", type=int, required=True)
    parser.add_argument("--template", action="store_true", help="the messages share a template")
    parser.add_argument("--not-before", type=int, default=0, help="seconds before which nothing may leave")
    parser.add_argument("--per-second", type=float, default=0.0, help="default: as fast as it goes")
    parser.add_argument("--lazily", action="store_true", help="make the messages while handing over")
    parser.add_argument("--relay", default="", help="hand over by gRPC to host:port")
    parser.add_argument("--smtp", default="", help="hand over by SMTP to host:port")
    try:
        uvloop.run(_main(parser.parse_args()))
    except (Problem, OSError) as problem:
        print(f"source: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
