"""`python -m bench hostile`: one site of eight never answers; what becomes of the other seven?

At half the rate that the eight together can take, so that what the one holds up could show.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

from bench import report
from bench.job import Job
from bench.names import domain
from bench.run import once

_SITES = 8
_LOAD = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("--messages", type=int, default=8_000, help="messages a run (default: 8,000)")
    parser.add_argument("--runs", type=int, default=1, help="how often each (default: 1)")


async def run(arguments: argparse.Namespace) -> int:
    """Measure; gives the exit code."""
    job = Job("hostile", arguments.messages, domains=_SITES, uncounted=domain(0))
    full = await once(job)
    report.say(report.line("as fast as it goes", full))
    paced = replace(job, per_second=_LOAD * full.messages_per_second * _SITES / (_SITES - 1))
    kinds = {
        "all well": paced,
        "one a tarpit": replace(paced, tarpit=domain(0)),
        "one dead": replace(paced, dead=domain(0)),
    }
    rates: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(arguments.runs):
        for name, each in kinds.items():
            result = await once(each)
            rates[name].append(result.messages_per_second)
            report.say(report.line(name, result))
    found = {name: report.median(measured) for name, measured in rates.items()}
    ratio = {name: round(rate / found["all well"], 3) for name, rate in found.items() if name != "all well"}
    for name, value in ratio.items():
        report.say(f"With {name}, the other seven keep [bold]{value:.2f}[/] of their rate.")
    report.write("hostile", {"messages_per_second": found, "ratio": ratio})
    return 0
