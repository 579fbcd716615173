"""F4: the store's host crashes: what was written and not yet on disk is gone.

A crash of the host cannot be had here, so its effect is made: Valkey is killed, and its append-only file is
cut back to where it was when Valkey last answered anybody. With appendfsync always an answer leaves after
its writes were synced, so no host may lose more than that. What lies beyond the cut is a write that was
half on disk: the first half of what was cut off, or the beginning of a command.
"""

import asyncio
import os
import time

from chaos.sites import Delivery
from chaos.trial import Row, Trial
from chaos.world import World

_CRASHES = 3
_TORN = b"*3\r\n$3\r\nSET\r\n$9\r\nhalf-wri"
_RECOVERY_SECONDS = 5.0
_WIND_DOWN_SECONDS = 1.0
# What Valkey sent before it died is read by then.
_LAST_ANSWERS_SECONDS = 0.1


async def _run(trial: Trial) -> None:
    crashes, unrecorded, cut = trial.times(_CRASHES), list[Delivery](), 0
    async with trial.world() as world:
        answered = _Answered(world)
        async with world.load():
            for number in range(crashes):
                trial.progress(f"crash {number + 1} of {crashes}")
                await asyncio.sleep(trial.random.uniform(0.5, 1.5))
                killed = time.monotonic()
                await world.store.kill()
                await asyncio.sleep(_LAST_ANSWERS_SECONDS)
                cut += answered.cut_back()
                await world.store.start()
                unrecorded += world.journalled(killed - _WIND_DOWN_SECONDS, time.monotonic())
            world.healed()
        trial.notes.append(f"{cut} bytes cut off in {crashes} crashes")
        await trial.judge(world, excused=unrecorded, recovery_seconds=_RECOVERY_SECONDS)


class _Answered:
    """How long the append-only file was at Valkey's last answer."""

    def __init__(self, world: World) -> None:
        self._store = world.store
        self._size = 0
        for link in (*world.to_store, world.feedback_to_store):
            link.on_reply = self._note

    def _note(self) -> None:
        self._size = self._store.aof.stat().st_size

    def cut_back(self) -> int:
        """Cut the file back, with a torn write at its end; gives the bytes cut off."""
        with self._store.aof.open("r+b") as file:
            file.seek(self._size)
            rest = file.read()
            file.seek(self._size)
            file.write(rest[: len(rest) // 2] or _TORN)
            file.truncate()
            os.fsync(file.fileno())
        return len(rest)


ROW = Row(
    "F4",
    f"the store's host crashes (AOF cut back to the last answer, torn write), {_CRASHES} times",
    "appendfsync always: 0 lost; duplicates: what was delivered while it could not be recorded; back "
    "within 5 s. (everysec may lose a second of what was accepted, and is not what we ship.)",
    0.25,
    _run,
)
