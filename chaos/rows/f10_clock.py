"""F10: the store's clock, which is the clock of all, is set forward, back, and four days forward.

Valkey runs under libfaketime (Debian: faketime); only its wall clock moves, as when an operator sets the
date of its host.
"""

import asyncio
import time
from glob import glob

from chaos.source import RATE, message
from chaos.trial import Row, Skipped, Trial
from chaos.world import Plan

_LIBRARIES = ("/usr/lib/*-linux-gnu/faketime/libfaketimeMT.so.1", "/usr/lib*/faketime/libfaketimeMT.so.1")
_HOUR = 3600
_SHIFTS = {"+1 h": _HOUR, "-1 h": -_HOUR, "+4 d": 96 * _HOUR}  # against the true time, seconds
# Services look at the store's clock every 5 s.
_NOTICED_SECONDS = 6.0
_WAITING = 20
_LOOK_SECONDS = 2.0
_RECOVERY_SECONDS = 10.0


async def _run(trial: Trial) -> None:
    libraries = [path for pattern in _LIBRARIES for path in glob(pattern)]
    if not libraries:
        raise Skipped("needs the Debian package faketime")
    shift = trial.folder / "shift"
    trial.folder.mkdir(parents=True)
    shift.write_text("+0")
    faketime = {
        "LD_PRELOAD": libraries[0],
        "FAKETIME_TIMESTAMP_FILE": str(shift),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    async with trial.world(Plan(store_environ=faketime)) as world:
        sites = world.sites
        world.source.submit_in_background([message(f"later-{n}", sites[0].domain) for n in range(_WAITING)])
        async with world.load():
            await asyncio.sleep(1)
            for name, seconds in _SHIFTS.items():
                trial.progress(f"the store's clock: {name}")
                shift.write_text(f"{seconds:+d}")
                await asyncio.sleep(_NOTICED_SECONDS)
                began, refused = time.monotonic(), sites.refusals["later"]
                await asyncio.sleep(_LOOK_SECONDS)
                delivered = len(world.journalled(began, time.monotonic()))
                trial.expect(delivered >= RATE * _LOOK_SECONDS / 2, f"only {delivered} delivered at {name}")
                tried = sites.refusals["later"] - refused
                trial.expect(tried <= 10 * _WAITING, f"a storm of {tried} retries at {name}")
            sites.released = True
            world.healed()
        await trial.judge(world, most_duplicates=0, recovery_seconds=_RECOVERY_SECONDS)


ROW = Row(
    "F10",
    "the store's clock is set 1 h forward, 2 h back, 4 d forward",
    "0 lost, 0 duplicates; delivery goes on at its pace; nothing expires by it; no storm of retries",
    0.25,
    _run,
)
