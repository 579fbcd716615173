"""F17: a Relay stands still for longer than its lease, and goes on as if nothing had happened."""

import asyncio
import signal
import time

from chaos.trial import Row, Trial
from chaos.world import Plan, relay_name

# Before a stop, an answer was recorded within this time.
_RECORD_SECONDS = 1.0


async def _run(trial: Trial) -> None:
    async with trial.world(Plan(relays=2)) as world:
        for site in world.sites:
            site.before_dot_seconds = site.dot_seconds = 0.05
        async with world.load():
            await asyncio.sleep(1)
            trial.progress("one of two Relays stopped")
            stopped = time.monotonic()
            world.relays[0].process.send(signal.SIGSTOP)
            await asyncio.sleep(2 * trial.lease_seconds + 1)
            world.relays[0].process.send(signal.SIGCONT)
            world.healed()
        past_dot = [
            delivery
            for delivery in world.sites.journal
            if delivery.relay == relay_name(0)
            and delivery.journalled <= stopped + 1
            and (delivery.answered is None or delivery.answered >= stopped - _RECORD_SECONDS)
        ]
        trial.notes.append(f"{len(past_dot)} past the dot or just recorded at the stop")
        await trial.judge(world, excused=past_dot, recovery_seconds=trial.lease_seconds + 5)


ROW = Row(
    "F17",
    "SIGSTOP one of two Relays for longer than its lease, then SIGCONT",
    "0 lost; its late word is rejected by the fence; duplicates: transactions past the dot at the stop, "
    "one each",
    0.25,
    _run,
)
