"""The one clock. Unix time in milliseconds, the same for all processes of one store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.chassis.logs import Log

# How often the store's time is read again. Machines drift by milliseconds a minute.
_FOLLOW_SECONDS = 5.0
# Policy: no machine drifts by five minutes between two looks, and nobody leaves a wrong date for an hour.
_JUMP_MS = 300_000.0
_BELIEVED_AFTER_SECONDS = 3_600.0
# Where those who do not believe the store's time tell others, that are started meanwhile: the store's time
# (ms), by how much they are ahead of it (ms), and for how long (ms). So long it holds, ms:
_TOLD, _TOLD_MS = "emta:clock", 30_000.0

_log = Log("store")


class Clock(Protocol):
    """Tells the time and waits for it. Tests have one that they move."""

    def now_ms(self) -> int:
        """Unix time, milliseconds."""
        ...

    async def sleep_until(self, at_ms: int) -> None:
        """Return once now_ms() >= at_ms."""
        ...


class SystemClock:
    """The machine's time, for services without a store. Never runs backwards."""

    def __init__(self, offset_ms: float = 0.0) -> None:
        # Between two readings of the wall clock only the monotonic one counts: an operator who sets
        # the machine's date makes no message expire.
        self._origin_ms = time.time() * 1000 - time.monotonic() * 1000 + offset_ms
        self._latest_ms = 0

    def now_ms(self) -> int:
        """Unix time, milliseconds."""
        now = int(self._origin_ms + time.monotonic() * 1000)
        if now > self._latest_ms:
            self._latest_ms = now
        return self._latest_ms

    async def sleep_until(self, at_ms: int) -> None:
        """Return once now_ms() >= at_ms."""
        while (left := at_ms - self.now_ms()) > 0:  # noqa: ASYNC110 -- time itself is waited for
            await asyncio.sleep(left / 1000)


@dataclass
class _Jump:
    """A time of the store that is not believed yet: since when (monotonic, seconds), and its origin."""

    since: float
    origin_ms: float


class StoreClock(SystemClock):
    """Follows the store's TIME, so that all processes agree on when a message expires.

    Somebody who sets a date must not make messages expire: a time that has jumped is followed only when it
    has stayed so for an hour; until then the clock runs on by itself, and says so. It follows forward at
    once and back at half pace: time neither runs backwards nor stands still.
    """

    def __init__(self) -> None:
        super().__init__()
        self._looked_at: float | None = None
        self._jump: _Jump | None = None

    @property
    def trusted(self) -> bool:
        """Whether it goes by the store's time."""
        return self._jump is None

    @classmethod
    async def of(cls, store: Redis) -> StoreClock:
        """Open a clock that follows `store`. Raises RedisError when the store is away."""
        clock = cls()
        told: Any = await store.get(_TOLD)
        await clock.follow(store)
        if told:
            then_ms, ahead_ms, held_ms = map(float, told.split())
            if 0 <= clock._origin_ms + time.monotonic() * 1000 - then_ms < _TOLD_MS:
                # Two times at once would cost leases.
                clock._jump = _Jump(time.monotonic() - held_ms / 1000, clock._origin_ms)
                clock._origin_ms += ahead_ms
        return clock

    async def follow(self, store: Redis) -> None:
        """Read the store's time once. Raises RedisError."""
        before = time.monotonic()
        seconds, microseconds = await store.time()
        now = time.monotonic()
        store_ms = seconds * 1000 + microseconds / 1000
        self._look(store_ms - (before + now) / 2 * 1000, now)
        if self._jump is not None:
            ahead_ms, held_ms = self._origin_ms - self._jump.origin_ms, (now - self._jump.since) * 1000
            await store.set(_TOLD, f"{store_ms} {ahead_ms} {held_ms}")

    def _look(self, origin_ms: float, now: float) -> None:
        """Take over what the store says, or not yet."""
        if self._looked_at is None:
            self._origin_ms = origin_ms
        elif abs(origin_ms - self._origin_ms) < _JUMP_MS:
            self._jump = None
            self._move(origin_ms, now - self._looked_at)
        elif self._jump is None or abs(origin_ms - self._jump.origin_ms) >= _JUMP_MS:
            self._jump = _Jump(now, origin_ms)
            _log.error("clock_jumped", by_seconds=round((origin_ms - self._origin_ms) / 1000))
        elif now - self._jump.since > _BELIEVED_AFTER_SECONDS:
            self._move(origin_ms, now - self._looked_at)
        self._looked_at = now

    def _move(self, origin_ms: float, elapsed: float) -> None:
        most = min(elapsed, _FOLLOW_SECONDS) * 1000 / 2
        self._origin_ms = max(origin_ms, self._origin_ms - most)

    async def keep_following(self, store: Redis) -> None:
        """Read the store's time again and again; while it is away the clock runs on by itself."""
        while True:
            await asyncio.sleep(_FOLLOW_SECONDS)
            try:
                await self.follow(store)
            except RedisError:
                continue


async def sleep_unless(wake: asyncio.Event, clock: Clock, at_ms: int) -> None:
    """Return once now_ms() >= at_ms, or `wake` is set."""
    waking = asyncio.create_task(wake.wait())
    sleeping = asyncio.create_task(clock.sleep_until(at_ms))
    try:
        await asyncio.wait({waking, sleeping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waking.cancel()
        sleeping.cancel()


@asynccontextmanager
async def clock_of(store: Redis, clock: Clock | None) -> AsyncIterator[Clock]:
    """Give the clock of a service: the one it is told to use, else one that follows its store."""
    if clock is not None:
        yield clock
        return
    following = await StoreClock.of(store)
    task = asyncio.create_task(following.keep_following(store))
    try:
        yield following
    finally:
        task.cancel()
