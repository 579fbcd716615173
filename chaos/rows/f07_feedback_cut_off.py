"""F7: the Relay is cut off from Feedback."""

import asyncio
import time

from chaos.proxy import Fault
from chaos.source import RATE
from chaos.trial import Row, Trial

_CUT_SECONDS = 5.0
_RECOVERY_SECONDS = 10.0


async def _run(trial: Trial) -> None:
    async with trial.world() as world:
        async with world.load():
            for fault in (Fault.BLACKHOLE, Fault.DROP_REPLIES):
                await asyncio.sleep(1)
                trial.progress(f"Feedback: {fault.value}")
                began = time.monotonic()
                await world.to_feedback.impose(fault)
                await asyncio.sleep(_CUT_SECONDS)
                delivered = len(world.journalled(began, time.monotonic()))
                await world.to_feedback.heal()
                expected = RATE * _CUT_SECONDS / 2
                trial.expect(delivered >= expected, f"only {delivered} delivered meanwhile ({fault.value})")
            world.healed()
        await trial.judge(world, most_duplicates=0, recovery_seconds=_RECOVERY_SECONDS)


ROW = Row(
    "F7",
    "partition between Relay and Feedback: blackhole, then answers lost",
    "0 lost, 0 duplicates; delivery goes on; every outcome arrives within 10 s of the end, in the order of "
    "its message, counted once",
    0.25,
    _run,
)
