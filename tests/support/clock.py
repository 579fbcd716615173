"""A clock that the test moves."""

from __future__ import annotations

import asyncio
import heapq
import itertools

# 2026-01-01T00:00:00Z: any date does, as long as it is always the same.
START_MS = 1_767_225_600_000


class ManualClock:
    """Stands still until `advance`; those who sleep wake in the order of their times."""

    def __init__(self, start_ms: int = START_MS) -> None:
        self._now_ms = start_ms
        self._order = itertools.count()
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []

    def now_ms(self) -> int:
        return self._now_ms

    async def sleep_until(self, at_ms: int) -> None:
        if at_ms <= self._now_ms:
            # Somebody else gets a turn, as with any other sleep.
            await asyncio.sleep(0)
            return
        waking: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (at_ms, next(self._order), waking))
        await waking

    def advance(self, seconds: float) -> None:
        """Move time forward and wake whom it reaches."""
        self._now_ms += round(seconds * 1000)
        while self._sleepers and self._sleepers[0][0] <= self._now_ms:
            _, _, waking = heapq.heappop(self._sleepers)
            if not waking.done():
                waking.set_result(None)
