"""F6: a Relay is cut off from the store, then the store stops answering everybody."""

import asyncio
import signal
import time

from chaos.proxy import Fault
from chaos.trial import Row, Trial
from chaos.world import Plan, relay_name

_WIND_DOWN_SECONDS = 1.0
_RECOVERY_SECONDS = 5.0


async def _run(trial: Trial) -> None:
    cut_seconds = 3 * trial.lease_seconds
    async with trial.world(Plan(relays=2)) as world:
        async with world.load():
            await asyncio.sleep(1)
            trial.progress("one of two Relays cut off from the store")
            cut = time.monotonic()
            await world.to_store[0].impose(Fault.BLACKHOLE)
            await asyncio.sleep(cut_seconds)
            healed = time.monotonic()
            await world.to_store[0].heal()
            await asyncio.sleep(2)
            trial.progress("the store stopped")
            stopped = time.monotonic()
            world.store.send(signal.SIGSTOP)
            await asyncio.sleep(cut_seconds)
            continued = time.monotonic()
            world.store.send(signal.SIGCONT)
            world.healed()
        grace = trial.lease_seconds + _WIND_DOWN_SECONDS
        begun = world.begun(cut + grace, healed, relay_name(0))
        trial.expect(not begun, f"{begun} transactions of the Relay cut off began without a lease")
        begun = world.begun(stopped + grace, continued)
        trial.expect(not begun, f"{begun} transactions began without a lease, with the store stopped")
        going_on = world.begun(cut + grace, healed, relay_name(1))
        trial.expect(going_on > 0, "the other Relay did not go on")
        unrecorded = world.journalled(cut - _WIND_DOWN_SECONDS, cut + grace)
        unrecorded += world.journalled(stopped - _WIND_DOWN_SECONDS, stopped + grace)
        await trial.judge(
            world, excused=unrecorded, recovery_seconds=trial.lease_seconds + _RECOVERY_SECONDS
        )


ROW = Row(
    "F6",
    "blackhole between one of two Relays and the store; then SIGSTOP the store; 3 leases each",
    "0 lost; no transaction begins after the lease is lost; the other Relay goes on; duplicates: what was "
    "delivered while it could not be recorded",
    0.5,
    _run,
)
