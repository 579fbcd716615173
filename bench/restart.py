"""`python -m bench restart`: the store is killed with a long queue in it: when does all go on?"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import time

from redis.exceptions import RedisError

from bench import report
from bench.child import BenchError, Child
from bench.job import Job
from bench.measure import hand_over
from bench.ours import Ours, ours
from services.chassis import store as stores

_LOOK_SECONDS = 0.05
_PATIENCE_SECONDS = 300.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument(
        "--depth", type=int, default=1_000_000, help="messages queued (default: 1,000,000: many minutes)"
    )


async def run(arguments: argparse.Namespace) -> int:
    """Measure; gives the exit code."""
    job = Job("restart", arguments.depth)
    async with Child("bench.receiver") as receiver, ours(await receiver.hear(), job) as emta:
        octets = await emta.preload(job, "queued")
        report.say(f"{job.messages:,} messages queued, {octets:,.0f} octets each in the store")
        began = time.monotonic()
        os.kill(emta.processes()["store"], signal.SIGKILL)
        await _answers(emta)
        answers = time.monotonic() - began
        # The client comes again until the Relay takes it; the receiver has the last word.
        await hand_over(emta, Job("after", 1), "after")
        while (await receiver.ask("stats"))["accepted"] < 1:  # noqa: ASYNC110 -- it is polled for
            await asyncio.sleep(_LOOK_SECONDS)
        delivers = time.monotonic() - began
        queued = (await emta.client.kpis("queued")).in_flight
    if queued != job.messages:
        raise BenchError(f"{job.messages:,} messages were queued, and {queued:,} are")
    report.say(
        f"Killed; [bold]{answers:.1f} s[/] later the store answers, [bold]{delivers:.1f} s[/] later a new "
        "message has been delivered"
    )
    figures = {"queued": job.messages, "bytes_per_queued_message": round(octets)}
    seconds = {"answers_after_s": round(answers, 2), "delivers_after_s": round(delivers, 2)}
    report.write("restart", figures | seconds)
    return 0


async def _answers(emta: Ours) -> None:
    """Wait until the store has read everything back."""
    until = time.monotonic() + _PATIENCE_SECONDS
    async with stores.connect(emta.stack.store_url, 5.0) as store:
        while time.monotonic() < until:
            try:
                await store.ping()
            except RedisError:
                await asyncio.sleep(_LOOK_SECONDS)
            else:
                return
    raise BenchError(f"the store does not answer {_PATIENCE_SECONDS:.0f} s after it was killed")
