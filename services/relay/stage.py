"""The part of another service in an attempt: in batches, but carefully where one was answered by nobody."""

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
    such attempts come back they are to be added as `doubted`: they are asked about after the service has
    said that it serves, first one, then twice as many each time it lives. Those of a call that fails are
    suspects from then on (`suspect` marks them, `suspected` knows them), and asked about one by one. What
    it then dies of, `died` is told. `dropped`: a defect of ours. `eased` is called whenever fewer wait.
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
        suspect: Callable[[Attempt], None],
        suspected: Callable[[Attempt], bool],
        died: Callable[[Attempt], None],
        dropped: Callable[[Attempt], None] = lambda attempt: None,
        eased: Callable[[], None] = lambda: None,
    ) -> None:
        self._item = item
        self._weigh = weigh
        self._call = call
        self._serves = serves
        self._answered = answered
        self._away = away
        self._suspect = suspect
        self._suspected = suspected
        self._died = died
        self._dropped = dropped
        self._eased = eased
        self._batches: Batcher[Attempt] = Batcher(
            self._ask,
            max_items=_BATCH_ITEMS,
            max_wait_seconds=_BATCH_SECONDS,
            weigh=weigh,
            max_weight=_BATCH_BYTES,
            dropped=dropped,
        )
        self.waiting = 0  # attempts that were not doubted, and are not answered
        self._doubted: deque[Attempt] = deque()
        self._asking_carefully: asyncio.Task[None] | None = None

    def add(self, attempt: Attempt, *, doubted: bool = False) -> None:
        """Ask about an attempt, in the next batch or carefully."""
        if not doubted:
            self.waiting += 1
            self._batches.add(attempt)
            return
        self._doubted.append(attempt)
        if self._asking_carefully is None:
            self._asking_carefully = asyncio.create_task(self._ask_carefully())

    async def _ask(self, attempts: Sequence[Attempt]) -> None:
        try:
            await self._question(attempts)
        except Problem:
            for attempt in attempts:
                self._away(attempt)
        finally:
            self.waiting -= len(attempts)
            self._eased()

    async def _question(self, attempts: Sequence[Attempt]) -> None:
        """Ask, and hand the answers on. Raises Problem, or ValueError when they make no sense: nobody was
        told then."""
        results = await self._call([self._item(attempt) for attempt in attempts])
        if len(results) != len(attempts):
            raise ValueError(f"{len(results)} answers to {len(attempts)} questions")
        for attempt, result in zip(attempts, results, strict=True):
            try:
                self._answered(attempt, result)
            except Exception as error:
                # A defect; the others are told all the same.
                _log.error("answer_failed", error=repr(error))
                self._dropped(attempt)

    async def _ask_carefully(self) -> None:
        most = 1
        while self._doubted:
            if not await self._serves():
                self._put_off(self._doubted)
                break
            few = self._few(most)
            if await self._lives(few):
                most = min(2 * most, _BATCH_ITEMS)
                continue
            most = 1
            if len(few) > 1:
                for attempt in few:
                    self._suspect(attempt)
                self._doubted.extendleft(reversed(few))
        self._asking_carefully = None

    def _put_off(self, waiting: Sequence[Attempt]) -> None:
        """The service is away for all that waits."""
        self._doubted = deque()
        for attempt in waiting:
            self._away(attempt)

    def _few(self, most: int) -> list[Attempt]:
        """Take those that come next: a suspect alone, else at least one and at most `most`."""
        few = [self._doubted.popleft()]
        if self._suspected(few[0]):
            return few
        weight = self._weigh(few[0])
        while self._doubted and len(few) < most and not self._suspected(self._doubted[0]):
            weight += self._weigh(self._doubted[0])
            if weight > _BATCH_BYTES:
                break
            few.append(self._doubted.popleft())
        return few

    async def _lives(self, few: Sequence[Attempt]) -> bool:
        """Ask about a few; False: the service did not answer, and nobody was told unless it was one."""
        try:
            await self._question(few)
        except Problem as problem:
            if problem.code in _LIVES:
                self._put_off([*few, *self._doubted])
                return True
            if len(few) == 1:
                self._died(few[0])
            return False
        except Exception as error:
            # A defect; those behind it are asked about all the same.
            _log.error("question_failed", error=repr(error))
            if len(few) == 1:
                self._dropped(few[0])
            return False
        return True
