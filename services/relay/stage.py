"""The part of another service in an attempt: in batches, but alone where a batch was answered by nobody."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import grpc

from emta.problems import Problem
from services.chassis.logs import Log
from services.relay.batcher import Batcher

Attempt = TypeVar("Attempt")
Item = TypeVar("Item")
Result = TypeVar("Result")

_log = Log("relay")

# A call costs about as much for one item as for a hundred: five milliseconds gather most of them.
_BATCH_ITEMS, _BATCH_SECONDS = 100, 0.005
_BATCH_BYTES = 4 * 1024 * 1024
# What a service that is overloaded says, or how it is silent.
_LIVES = frozenset({grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED})


class Stage(Generic[Attempt, Item, Result]):
    """Asks a service about attempts and hands its answers on.

    When a whole call fails, nobody knows whether the service was away or died of one of the items. When
    such attempts come back they are to be added `alone`: they are asked about one by one, each after the
    service has said that it serves. What it then dies of, `died` is told. `dropped`: a defect of ours.
    """

    def __init__(
        self,
        *,
        item: Callable[[Attempt], Item],
        weigh: Callable[[Attempt], int],
        call: Callable[[Sequence[Item]], Awaitable[Sequence[Result]]],
        serves: Callable[[], Awaitable[bool]],
        answered: Callable[[Attempt, Result], None],
        away: Callable[[Attempt], None],
        died: Callable[[Attempt], None],
        dropped: Callable[[Attempt], None] = lambda attempt: None,
    ) -> None:
        self._item = item
        self._call = call
        self._serves = serves
        self._answered = answered
        self._away = away
        self._died = died
        self._dropped = dropped
        self._batches: Batcher[Attempt] = Batcher(
            self._ask,
            max_items=_BATCH_ITEMS,
            max_wait_seconds=_BATCH_SECONDS,
            weigh=weigh,
            max_weight=_BATCH_BYTES,
            dropped=dropped,
        )
        self._alone: deque[Attempt] = deque()
        self._asking_alone: asyncio.Task[None] | None = None

    def add(self, attempt: Attempt, *, alone: bool = False) -> None:
        """Ask about an attempt, in the next batch or by itself."""
        if not alone:
            self._batches.add(attempt)
            return
        self._alone.append(attempt)
        if self._asking_alone is None:
            self._asking_alone = asyncio.create_task(self._ask_alone())

    async def _ask(self, attempts: list[Attempt]) -> None:
        try:
            results = await self._call([self._item(attempt) for attempt in attempts])
        except Problem:
            for attempt in attempts:
                self._away(attempt)
            return
        for attempt, result in zip(attempts, results, strict=True):
            self._answered(attempt, result)

    async def _ask_alone(self) -> None:
        while self._alone:
            if not await self._serves():
                waiting, self._alone = self._alone, deque()
                for attempt in waiting:
                    self._away(attempt)
                break
            attempt = self._alone.popleft()
            try:
                await self._ask_about(attempt)
            except Exception as error:
                # A defect; those behind it are asked about all the same.
                _log.error("question_failed", error=repr(error))
                self._dropped(attempt)
        self._asking_alone = None

    async def _ask_about(self, attempt: Attempt) -> None:
        try:
            (result,) = await self._call([self._item(attempt)])
        except Problem as problem:
            (self._away if problem.code in _LIVES else self._died)(attempt)
        else:
            self._answered(attempt, result)
