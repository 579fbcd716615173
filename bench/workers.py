"""`python -m bench workers`: two processes of the Relay against one, where receivers are slow to answer."""

from __future__ import annotations

import argparse

from bench import report
from bench.job import Job
from bench.run import once

_ANSWER_SECONDS = 0.2
# So few that the receivers are the limit, not the cores.
_CONNECTIONS_PER_SITE = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    # The last connection to end stops the clock: with few messages chance weighs more than speed.
    parser.add_argument("--messages", type=int, default=12_000, help="messages a run (default: 12,000)")
    parser.add_argument("--runs", type=int, default=3, help="runs with each number (default: 3)")


async def run(arguments: argparse.Namespace) -> int:
    """Measure; gives the exit code."""
    job = Job("workers", arguments.messages, delay=_ANSWER_SECONDS)
    rates: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(arguments.runs):
        for workers, measured in rates.items():
            result = await once(
                job,
                EMTA_RELAY_WORKERS=str(workers),
                EMTA_RELAY_CONNECTIONS_PER_SITE=str(_CONNECTIONS_PER_SITE),
            )
            measured.append(result.messages_per_second)
            report.say(report.line(f"{workers} worker{'s' * (workers > 1)}", result))
    one, two = report.median(rates[1]), report.median(rates[2])
    report.say(f"Two workers make [bold]{two / one:.2f}[/] times the rate of one.")
    report.write("workers", {"one": one, "two": two, "ratio": round(two / one, 3)})
    return 0
