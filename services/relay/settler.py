"""The end of attempts: what became of the messages is written down, many at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from emta.feedback.v1.feedback_service_pb2 import RecordOutcomesItem
from services.chassis.logs import Log
from services.relay.attempt import Attempt
from services.relay.batcher import Batcher
from services.relay.store.queue import Queue, Settlement

_log = Log("relay")

# The shorter the wait after an answer to a final dot, the fewer messages a crash sends twice.
_ITEMS, _SECONDS = 100, 0.005
_STORE_AWAY_SECONDS = 0.2


class Settler:
    """Settles attempts in batches; `settled` is told each one, also when its lease had been lost, and when
    its message is due again (ms; None: never)."""

    def __init__(self, queue: Queue, settled: Callable[[Attempt, int | None], None]) -> None:
        self._queue = queue
        self._settled = settled
        self._batches: Batcher[tuple[Attempt, Settlement]] = Batcher(
            self._settle, max_items=_ITEMS, max_wait_seconds=_SECONDS, eager=True
        )

    def finish(self, attempt: Attempt, told: RecordOutcomesItem) -> None:
        """The message has its final status."""
        self._batches.add((attempt, Settlement(attempt.claimed, None, (told,))))

    def put_back(self, attempt: Attempt, due_ms: int, told: Sequence[RecordOutcomesItem] = ()) -> None:
        """The message is due again."""
        self._batches.add((attempt, Settlement(attempt.claimed, due_ms, told)))

    async def _settle(self, batch: list[tuple[Attempt, Settlement]]) -> None:
        """Repeated until the store answers, and its replicas: the fence makes that safe."""
        settlements = [settlement for _, settlement in batch]
        repeated = False
        while True:
            try:
                results = await self._queue.settle(settlements)
                break
            except Exception as error:
                # Whatever it is: what was sent has to be written down.
                _log.warning("store_away", error=repr(error))
                repeated = True
                await asyncio.sleep(_STORE_AWAY_SECONDS)
        for (attempt, settlement), was_ours in zip(batch, results, strict=True):
            # When repeated, a lease may have been ended by ourselves, before the answer was lost.
            if not was_ours and not repeated:
                _log.warning("lease_lost", message=attempt.claimed.message.message_id)
            self._settled(attempt, settlement.due_ms)
