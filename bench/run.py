"""`python -m bench run`: the benchmark itself, and beside it, in the same run, Postfix with opendkim."""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import asdict, replace
from itertools import count
from typing import Any

from bench import postfix, report
from bench.child import BenchError, Child
from bench.job import PROFILES, Job
from bench.measure import Result, measure
from bench.ours import ours

_PEER = "postfix_opendkim"
# Enough for the store's figure per message to be that of a long queue.
_PRELOADED = 5_000
_names = count(1)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "--profile",
        action="append",
        choices=[*PROFILES],
        help="one of the profiles; may be given more than once; default: all",
    )
    parser.add_argument(
        "--runs", type=int, default=3, help="how often each; medians are shown (default: 3)"
    )
    parser.add_argument("--messages", type=int, help="messages a run; default: some seconds' worth")
    parser.add_argument("--peers", action="store_true", help="Postfix with opendkim, too; as root")


async def run(arguments: argparse.Namespace) -> int:
    """Measure every profile so many times, in turns; gives the exit code."""
    if arguments.peers and (reason := postfix.unavailable()):
        raise BenchError(f"Postfix with opendkim: {reason}")
    jobs = [PROFILES[name] for name in arguments.profile or PROFILES]
    if arguments.messages:
        jobs = [replace(job, messages=arguments.messages) for job in jobs]
    octets = {job.name: await _octets_per_message(job) for job in jobs}
    mine: dict[str, list[Result]] = defaultdict(list)
    theirs: dict[str, list[Result]] = defaultdict(list)
    for number in range(1, arguments.runs + 1):
        report.say(f"Run {number} of {arguments.runs}: messages/s, and CPU a message by process")
        for job in jobs:
            mine[job.name].append(await once(job))
            report.say(report.line(job.name, mine[job.name][-1]))
            if arguments.peers:
                theirs[job.name].append(await postfix.in_namespaces(job))
                report.say(report.line("  Postfix+opendkim", theirs[job.name][-1]))
    rows = []
    for job in jobs:
        rows.append((job.name, "emta", mine[job.name]))
        if arguments.peers:
            rows.append((job.name, "Postfix+opendkim", theirs[job.name]))
    report.show(report.medians(rows))
    figures = _figures(jobs, mine, octets) | (_compared(mine, theirs) if arguments.peers else {})
    for name, ratio in figures.get("ratio", {}).items():
        report.say(f"  {name:<17}[bold]{ratio:>6.1f}[/] times the rate of Postfix with opendkim")
    report.write("latest", figures)
    return 0


async def once(job: Job, **relay: str) -> Result:
    """Do a job once, by an emta and to a receiver that begin afresh."""
    options = job.receiver_options()
    async with (
        Child("bench.receiver", *options) as receiver,
        ours(await receiver.hear(), job, **relay) as emta,
    ):
        return await measure(emta, job, receiver, f"run{next(_names)}")


async def _octets_per_message(job: Job) -> float:
    """What a message takes in the store while it waits; nothing can leave meanwhile."""
    waiting = replace(job, messages=min(_PRELOADED, job.messages))
    async with Child("bench.receiver") as receiver, ours(await receiver.hear(), job) as emta:
        octets = await emta.preload(waiting, f"waiting{next(_names)}")
    report.say(f"  {job.name:<17}[bold]{octets:>6,.0f}[/] octets in the store per queued message")
    return octets


def _figures(jobs: list[Job], mine: dict[str, list[Result]], octets: dict[str, float]) -> dict[str, Any]:
    return {
        "runs": [
            {
                "profile": job.kind,
                "size_bytes": job.size,
                "messages_per_second": round(result.messages_per_second, 1),
                "cpu_us_per_message": _cpu(result),
                "peak_rss_mb": round(sum(result.peak_rss_mb.values()), 1),
                "bytes_per_queued_message": round(octets[job.name]),
                "details": result.as_dict(),
            }
            for results in zip(*(mine[job.name] for job in jobs), strict=True)
            for job, result in zip(jobs, results, strict=True)
        ],
        "jobs": {job.name: asdict(job) for job in jobs},
    }


def _compared(mine: dict[str, list[Result]], theirs: dict[str, list[Result]]) -> dict[str, Any]:
    def rate(results: list[Result]) -> float:
        return report.median([result.messages_per_second for result in results])

    return {
        "peers": {
            _PEER: {
                name: {
                    "messages_per_second": rate(results),
                    "cpu_us_per_message": report.median([result.cpu_us_total for result in results]),
                    "runs": [result.as_dict() for result in results],
                }
                for name, results in theirs.items()
            },
            "version": postfix.version(),
        },
        "ratio": {name: round(rate(mine[name]) / rate(results), 2) for name, results in theirs.items()},
    }


def _cpu(result: Result) -> dict[str, float]:
    rounded = {name: round(us, 1) for name, us in result.cpu_us.items()}
    return {"total": round(result.cpu_us_total, 1)} | rounded
