"""`python -m bench accept`: how fast messages are accepted, on disk, while none leaves."""

from __future__ import annotations

import argparse

from bench import meter, report
from bench.child import Child
from bench.job import Job
from bench.measure import hand_over
from bench.ours import ours

_A_DAY = 86_400


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("--runs", type=int, default=3, help="how often; the median is shown (default: 3)")
    parser.add_argument("--messages", type=int, default=20_000, help="messages a run (default: 20,000)")


async def run(arguments: argparse.Namespace) -> int:
    """Measure; gives the exit code."""
    job = Job("accept", arguments.messages)
    rates, cpus = [], []
    for number in range(arguments.runs):
        async with Child("bench.receiver") as receiver, ours(await receiver.hear(), job) as emta:
            before = {name: meter.cpu_seconds(pid) for name, pid in emta.processes().items()}
            handed = await hand_over(emta, job, f"accept{number}", not_before=_A_DAY)
            await emta.client.until_reported(f"accept{number}", job.messages)
            cpus.append(
                {
                    name: round((meter.cpu_seconds(pid) - before[name]) / job.messages * 1e6, 1)
                    for name, pid in emta.processes().items()
                }
            )
        rates.append(round(job.messages / (handed.ended - handed.began), 1))
        report.say(f"  [bold]{rates[-1]:7,.0f}[/] accepted/s  [dim]us CPU a message: {cpus[-1]}[/]")
    report.say(f"Median: [bold]{report.median(rates):,.0f}[/] accepted/s")
    figures = {"accepted_per_second": report.median(rates), "rates": rates, "cpu_us_per_message": cpus}
    report.write("accept", figures)
    return 0
