"""`python -m bench depth`: does a long queue of messages that are not due slow those down that are?"""

from __future__ import annotations

import argparse
from typing import Any

from bench import report
from bench.child import Child
from bench.job import Job
from bench.measure import measure
from bench.ours import ours

_SHALLOW = 1_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "--depth", type=int, default=1_000_000, help="messages preloaded (default: 1,000,000: some minutes)"
    )
    parser.add_argument("--messages", type=int, default=20_000, help="messages a run (default: 20,000)")
    parser.add_argument("--runs", type=int, default=3, help="runs at each depth (default: 3)")


async def run(arguments: argparse.Namespace) -> int:
    """Measure; gives the exit code."""
    shallow = await _at(_SHALLOW, arguments)
    deep = await _at(arguments.depth, arguments)
    ratio = round(deep["messages_per_second"] / shallow["messages_per_second"], 3)
    report.say(f"Ratio of the rates: [bold]{ratio:.2f}[/]")
    report.write("depth", {"shallow": shallow, "deep": deep, "ratio": ratio})
    return 0


async def _at(depth: int, arguments: argparse.Namespace) -> dict[str, Any]:
    job = Job("depth", arguments.messages)
    async with Child("bench.receiver") as receiver, ours(await receiver.hear(), job) as emta:
        octets = await emta.preload(Job("preload", depth), f"preload{depth}")
        report.say(f"{depth:,} messages preloaded, {octets:,.0f} octets each in the store")
        # What happens only once in the life of a service is no matter of depth.
        await measure(emta, job, receiver, "warming-up")
        results = []
        for number in range(arguments.runs):
            results.append(await measure(emta, job, receiver, f"depth{number}"))
            report.say(report.line(f"{depth:,}", results[-1]))
        rates = [result.messages_per_second for result in results]
        return {
            "preloaded": depth,
            "bytes_per_queued_message": round(octets),
            "messages_per_second": report.median(rates),
            "runs": [result.as_dict() for result in results],
        }
