"""The end of attempts: what became of the messages is written down, as soon as the store can take it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import NamedTuple

from redis.exceptions import RedisError

from services.chassis.logs import Log
from services.relay.attempt import Attempt
from services.relay.store.queue import Queue, Settlement

_log = Log("relay")

# A script that runs longer makes others wait for the store.
_MOST = 200
_STORE_AWAY_SECONDS = 0.2


class _Ending(NamedTuple):
    attempt: Attempt
    settlement: Settlement
    repeated: bool  # written down before, perhaps: the answer did not come


class Settler:
    """Settles attempts; `settled` is told each one, also when its lease had been lost, and when its message
    is due again (ms; None: never).

    A node of a Cluster that is away holds up no other: what falls with it is written down by itself.
    """

    def __init__(self, queue: Queue, settled: Callable[[Attempt, int | None], None]) -> None:
        self._queue = queue
        self._settled = settled
        self._writers: dict[int, _Writer] = {}

    def settle(self, attempt: Attempt, settlement: Settlement) -> None:
        """End an attempt."""
        unit = self._queue.unit(attempt.claimed.shard)
        writer = self._writers.get(unit)
        if writer is None:
            writer = self._writers[unit] = _Writer(self._queue, self._settled)
        writer.add(_Ending(attempt, settlement, repeated=False))

    def writes(self, shard: int) -> bool:
        """Whether the store took what was last settled, as far as we know."""
        writer = self._writers.get(self._queue.unit(shard))
        return writer is None or not writer.failing

    async def finish(self, seconds: float) -> None:
        """Wait until all is written down, for so long at most."""
        writing = [writer.writing for writer in self._writers.values() if writer.writing is not None]
        if writing:
            await asyncio.wait(writing, timeout=seconds)


class _Writer:
    """One call at a time, which takes along all that ended during the one before: an answer to a final dot
    waits for no company, for it is what a crash sends twice, and the more there is the less each costs.
    """

    def __init__(self, queue: Queue, settled: Callable[[Attempt, int | None], None]) -> None:
        self._queue = queue
        self._settled = settled
        self._endings: list[_Ending] = []
        self.failing = False
        self.writing: asyncio.Task[None] | None = None

    def add(self, ending: _Ending) -> None:
        self._endings.append(ending)
        if self.writing is None:
            self.writing = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        try:
            while self._endings:
                batch, self._endings = self._endings[:_MOST], self._endings[_MOST:]
                results = await self._settle(batch)
                again = []
                for ending, was_ours in zip(batch, results, strict=True):
                    if was_ours is None:
                        again.append(ending._replace(repeated=True))
                    else:
                        self._written(ending, was_ours)
                # What was delivered before the store went away comes before what is given back since. A few
                # among others are a defect, and hold up nobody.
                self._endings = again + self._endings if self.failing else self._endings + again
                if len(again) == len(batch):
                    await asyncio.sleep(_STORE_AWAY_SECONDS)
        finally:
            self.writing = None

    async def _settle(self, batch: Sequence[_Ending]) -> Sequence[bool | None]:
        """Give per ending whether the lease was still ours; None: it has to be written down again."""
        try:
            results = await self._queue.settle([ending.settlement for ending in batch])
            self.failing = all(was_ours is None for was_ours in results)
            return results
        except RedisError as error:
            _log.warning("store_away", error=repr(error))
            self.failing = True
            return [None] * len(batch)
        except Exception as error:
            if len(batch) == 1:
                message = batch[0].attempt.claimed.message.message_id
                _log.error("not_settled", message=message, error=repr(error))
                self.failing = False
                return [None]
        # A defect in one of them must not hold up the others.
        half = len(batch) // 2
        return [*await self._settle(batch[:half]), *await self._settle(batch[half:])]

    def _written(self, ending: _Ending, was_ours: bool) -> None:
        # When repeated, a lease may have been ended by ourselves, before the answer was lost.
        if not was_ours and not ending.repeated:
            _log.warning("lease_lost", message=ending.attempt.claimed.message.message_id)
        self._settled(ending.attempt, ending.settlement.due_ms)
