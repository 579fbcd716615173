"""Gathering what many tasks want at the same time into one call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class Batcher(Generic[Item, Result]):
    """`await batcher.submit(item)` gives the item's own result of a call made for many.

    A call is made when `max_items` or `max_weight` are together, `max_wait_seconds` after the first item
    at the latest. When it raises, each of its items' submitters gets the exception.
    """

    def __init__(
        self,
        call: Callable[[list[Item]], Awaitable[list[Result]]],
        *,
        max_items: int,
        max_wait_seconds: float,
        weigh: Callable[[Item], int] = lambda item: 0,
        max_weight: int = 0,
    ) -> None:
        self._call = call
        self._max_items = max_items
        self._max_wait_seconds = max_wait_seconds
        self._weigh = weigh
        self._max_weight = max_weight
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._weight = 0
        self._timer: asyncio.TimerHandle | None = None
        self._calls: set[asyncio.Task[None]] = set()

    def submit(self, item: Item) -> asyncio.Future[Result]:
        """Put an item into the next call."""
        loop = asyncio.get_running_loop()
        weight = self._weigh(item)
        if self._waiting and self._weight + weight > self._max_weight > 0:
            self._flush()
        future: asyncio.Future[Result] = loop.create_future()
        self._waiting.append((item, future))
        self._weight += weight
        if len(self._waiting) == self._max_items:
            self._flush()
        elif self._timer is None:
            self._timer = loop.call_later(self._max_wait_seconds, self._flush)
        return future

    def _flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        batch, self._waiting, self._weight = self._waiting, [], 0
        task = asyncio.get_running_loop().create_task(self._run(batch))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _run(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        try:
            results = await self._call([item for item, _ in batch])
        except Exception as error:
            for _, future in batch:
                if not future.done():
                    future.set_exception(error)
            return
        for (_, future), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
