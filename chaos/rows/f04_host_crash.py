"""F4: the store's host crashes: what was written and not yet on disk is gone.

A crash of the host cannot be had here, so its effect is made. Valkey is killed right after it has written
something that nobody has been answered yet, its answers on the way are thrown away, and its append-only
file is cut back to where it was at the last answer that anybody got. With appendfsync always an answer
leaves after its writes were synced, so no host may lose more than that. At the cut a write is torn: half of
what was cut off is still there.
"""

import asyncio
import os
import signal
import time

from chaos.proxy import Fault
from chaos.sites import Delivery
from chaos.trial import Row, Trial
from chaos.world import World

_CRASHES = 3
_RECOVERY_SECONDS = 5.0
_WIND_DOWN_SECONDS = 1.0
# A request that writes has done so by then; another one is caught next time.
_WRITE_SECONDS = 0.005


async def _run(trial: Trial) -> None:
    crashes, unrecorded, cut = trial.times(_CRASHES), list[Delivery](), 0
    async with trial.world() as world:
        crash = _Crash(world)
        async with world.load():
            for number in range(crashes):
                trial.progress(f"crash {number + 1} of {crashes}")
                await asyncio.sleep(trial.random.uniform(0.5, 1.5))
                killed = time.monotonic()
                cut += await crash()
                await world.store.start()
                unrecorded += world.journalled(killed - _WIND_DOWN_SECONDS, time.monotonic())
            world.healed()
        trial.expect(cut > 0, "no crash came in the middle of a write")
        trial.notes.append(f"{cut} bytes cut off in {crashes} crashes")
        await trial.judge(world, excused=unrecorded, recovery_seconds=_RECOVERY_SECONDS)


class _Crash:
    """Lets the store's host crash in the middle of a write."""

    def __init__(self, world: World) -> None:
        self._store = world.store
        self._links = (*world.to_store, world.feedback_to_store)
        self._answered = 0  # how long the append-only file was at the last answer
        self._crashed: asyncio.Event | None = None
        for link in self._links:
            link.on_reply = self._note
            link.on_request = self._catch

    def _note(self) -> None:
        self._answered = self._size()

    def _size(self) -> int:
        return self._store.aof.stat().st_size

    def _catch(self) -> None:
        """Kill Valkey if this request makes it write.

        This process stands still meanwhile, and with it the proxies: no answer gets through any more.
        """
        if self._crashed is None or self._crashed.is_set():
            return
        deadline = time.monotonic() + _WRITE_SECONDS
        while time.monotonic() < deadline:
            if self._size() > self._answered:
                self._store.send(signal.SIGKILL)
                self._crashed.set()
                return

    async def __call__(self) -> int:
        """Crash at the next write; gives the bytes that were lost."""
        self._crashed = asyncio.Event()
        await self._crashed.wait()
        for link in self._links:
            await link.impose(Fault.RESET)
        await self._store.kill()
        lost = self._cut_back()
        for link in self._links:
            await link.heal()
        return lost

    def _cut_back(self) -> int:
        with self._store.aof.open("r+b") as file:
            file.seek(self._answered)
            rest = file.read()
            file.seek(self._answered)
            file.write(rest[: len(rest) // 2])
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
