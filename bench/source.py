"""The sending side, in a process of its own: makes the messages, waits for a line, hands them over.

By gRPC to the Relay, as Campaign does, or by SMTP to a peer. Says "ready", and at the end a line of JSON:
when it began and ended (CLOCK_MONOTONIC).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time

import uvloop

from bench.messages import SENDER, contents, recipient
from emta.client import Client
from emta.problems import Problem
from emta.relay.v1.message_pb2 import Message

_STREAMS = 4
_SESSIONS = 20  # as the peers' own injector, smtp-source, is commonly used


async def _by_grpc(arguments: argparse.Namespace, made: list[bytes]) -> int:
    messages = [
        Message(
            message_id=str(number),
            delivery_id=arguments.run,
            mail_from=SENDER,
            rcpt_to=recipient(arguments.run, number, arguments.domains),
            content=content,
        )
        for number, content in enumerate(made)
    ]
    if arguments.not_before:
        for message in messages:
            message.not_before_time.FromSeconds(int(time.time()) + arguments.not_before)
    refused = 0
    async with Client(arguments.relay, arguments.feedback, "127.0.0.1:1") as client:

        async def submit(part: list[Message]) -> None:
            nonlocal refused
            async for result in client.submit(part):
                refused += result.WhichOneof("result") == "error"

        await asyncio.gather(*(submit(messages[n::_STREAMS]) for n in range(_STREAMS)))
    return refused


async def _by_smtp(arguments: argparse.Namespace, made: list[bytes]) -> int:
    host, _, port = arguments.smtp.rpartition(":")

    async def session(first: int) -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        await reader.readline()
        writer.write(b"EHLO source.bench\r\n")
        while (await reader.readline())[3:4] == b"-":
            pass
        for number in range(first, len(made), _SESSIONS):
            to = recipient(arguments.run, number, arguments.domains)
            writer.write(f"MAIL FROM:<{SENDER}>\r\nRCPT TO:<{to}>\r\nDATA\r\n".encode())
            for _ in range(3):
                reply = await reader.readline()
            assert reply.startswith(b"354"), reply
            writer.write(made[number] + b".\r\n")
            reply = await reader.readline()
            assert reply.startswith(b"250"), reply
        writer.write(b"QUIT\r\n")
        await reader.readline()
        writer.close()

    await asyncio.gather(*(session(first) for first in range(min(_SESSIONS, len(made)))))
    return 0


async def _main(arguments: argparse.Namespace) -> None:
    made = contents(
        arguments.run, arguments.messages, arguments.size, arguments.domains, template=arguments.template
    )
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    began = time.monotonic()
    refused = await (_by_smtp if arguments.smtp else _by_grpc)(arguments, made)
    print(json.dumps({"began": began, "ended": time.monotonic(), "refused": refused}), flush=True)


def main() -> int:
    """Read the arguments, hand over, and give the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.source", description=__doc__)
    parser.add_argument("--run", required=True, help="name of the run, in every recipient's address")
    parser.add_argument("--messages", type=int, required=True)
    parser.add_argument("--size", type=int, required=True, help="octets")
    parser.add_argument("--domains", type=int, required=True)
    parser.add_argument("--template", action="store_true", help="the messages share a template")
    parser.add_argument("--not-before", type=int, default=0, help="seconds before which nothing may leave")
    parser.add_argument("--relay", default="")
    parser.add_argument("--feedback", default="")
    parser.add_argument("--smtp", default="", help="hand over by SMTP to host:port")
    try:
        uvloop.run(_main(parser.parse_args()))
    except Problem as problem:
        print(f"source: {problem}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
