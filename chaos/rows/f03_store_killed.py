"""F3: the store is killed, again and again, and at last stays away for longer than a lease."""

import asyncio
import time

from chaos.sites import Delivery
from chaos.source import TRY_AGAIN
from chaos.trial import Row, Trial

_KILLS = 10
_RECOVERY_SECONDS = 5.0
# What had begun may end, and one more batch may have been signed: after that nothing begins.
_WIND_DOWN_SECONDS = 1.0


async def _run(trial: Trial) -> None:
    kills = trial.times(_KILLS)
    unrecorded: list[Delivery] = []
    async with trial.world() as world:
        async with world.load():
            for number in range(kills):
                trial.progress(f"kill {number + 1} of {kills}")
                await asyncio.sleep(trial.random.uniform(0.2, 1.0))
                killed = time.monotonic()
                await world.store.kill()
                last = number == kills - 1
                await asyncio.sleep(2 * trial.lease_seconds + 1 if last else trial.random.uniform(0, 0.5))
                back = time.monotonic()
                await world.store.start()
                unrecorded += world.journalled(killed - _WIND_DOWN_SECONDS, back)
            world.healed()
        begun = world.begun(killed + trial.lease_seconds + _WIND_DOWN_SECONDS, back)
        trial.expect(not begun, f"{begun} transactions began without a lease, with the store away")
        codes = {error.partition(" ")[0] for error in world.source.errors}
        trial.expect("UNAVAILABLE" in codes <= TRY_AGAIN, f"accept answered {dict(world.source.errors)}")
        await trial.judge(world, excused=unrecorded, recovery_seconds=_RECOVERY_SECONDS)


ROW = Row(
    "F3",
    f"kill -9 Valkey (AOF always), {_KILLS} times, at last for longer than a lease",
    "0 lost; accept says UNAVAILABLE meanwhile; no transaction begins without a lease; duplicates: what "
    "was delivered while it could not be recorded; back within 5 s",
    0.5,
    _run,
)
