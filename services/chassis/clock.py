"""The one clock. Unix time in milliseconds, the same for all processes of one store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from redis.asyncio import Redis
from redis.exceptions import RedisError

from services.chassis.logs import Log

# How often the store's time is read again. Machines drift by milliseconds a minute.
_FOLLOW_SECONDS = 5.0
# Policy: no machine drifts by five minutes between two looks, and nobody leaves a wrong date for an hour.
_JUMP_MS = 300_000.0
_BELIEVED_AFTER_SECONDS = 3_600.0

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
        self._latest_ms = max(now, self._latest_ms)
        return self._latest_ms

    async def sleep_until(self, at_ms: int) -> None:
        """Return once now_ms() >= at_ms."""
        while (left := at_ms - self.now_ms()) > 0:  # noqa: ASYNC110 -- time itself is waited for
            await asyncio.sleep(left / 1000)


class StoreClock(SystemClock):
    """Follows the store's TIME, so that all processes agree on when a message expires.

    Somebody who sets a date must not make messages expire: a time that has jumped is followed only when it
    has stayed so for an hour; until then the clock runs on by itself, and says so.
    """

    def __init__(self) -> None:
        super().__init__()
        self._followed = False
        self._jumped_at: float | None = None

    @classmethod
    async def of(cls, store: Redis) -> StoreClock:
        """Open a clock that follows `store`. Raises RedisError when the store is away."""
        clock = cls()
        await clock.follow(store)
        return clock

    async def follow(self, store: Redis) -> None:
        """Read the store's time once."""
        before = time.monotonic()
        seconds, microseconds = await store.time()
        middle = (before + time.monotonic()) / 2
        self._set(seconds * 1000 + microseconds / 1000 - middle * 1000)

    def _set(self, origin_ms: float) -> None:
        """Take the store's time over; one that has jumped only after a while."""
        now = time.monotonic()
        if not self._followed or abs(origin_ms - self._origin_ms) < _JUMP_MS:
            self._followed, self._jumped_at = True, None
            self._origin_ms = origin_ms
        elif self._jumped_at is None:
            self._jumped_at = now
            _log.error("clock_jumped", by_seconds=round((origin_ms - self._origin_ms) / 1000))
        elif now - self._jumped_at > _BELIEVED_AFTER_SECONDS:
            self._jumped_at = None
            self._origin_ms = origin_ms

    async def keep_following(self, store: Redis) -> None:
        """Read the store's time again and again; while it is away the clock runs on by itself."""
        while True:
            await asyncio.sleep(_FOLLOW_SECONDS)
            try:
                await self.follow(store)
            except RedisError:
                continue


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
