"""Gathering what comes one by one into batches: a call costs about as much for one as for a hundred."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from services.chassis.logs import Log

Item = TypeVar("Item")

_log = Log("relay")


class Batcher(Generic[Item]):
    """`work` gets what was added, in batches.

    A batch goes when `max_items` or `max_weight` are together, `max_wait_seconds` after its first item at
    the latest. Batches are worked on side by side. `work` handles its own failures; what it raises all the
    same is a defect, and each item of the batch is `dropped`.
    """

    def __init__(
        self,
        work: Callable[[list[Item]], Awaitable[None]],
        *,
        max_items: int,
        max_wait_seconds: float,
        weigh: Callable[[Item], int] | None = None,
        max_weight: int = 0,
        dropped: Callable[[Item], None] = lambda item: None,
    ) -> None:
        self._work = work
        self._max_items = max_items
        self._max_wait_seconds = max_wait_seconds
        self._weigh = weigh
        self._max_weight = max_weight
        self._dropped = dropped
        self._waiting: list[Item] = []
        self._weight = 0
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def add(self, item: Item) -> None:
        """Put an item into the next batch."""
        if self._weigh is not None:
            weight = self._weigh(item)
            if self._waiting and self._weight + weight > self._max_weight:
                self._flush()
            self._weight += weight
        self._waiting.append(item)
        if len(self._waiting) >= self._max_items:
            self._flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._max_wait_seconds, self._flush)

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch, self._waiting, self._weight = self._waiting, [], 0
        task = asyncio.get_running_loop().create_task(self._run(batch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, batch: list[Item]) -> None:
        try:
            await self._work(batch)
        except Exception as error:
            _log.error("batch_failed", items=len(batch), error=repr(error))
            for item in batch:
                self._dropped(item)
