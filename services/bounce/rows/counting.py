"""Counting what was answered: in memory at once, in the store within about a second.

    async with counting.running():
        counting.count(answer, reply)

A store that is away costs no reply its answer. What was counted waits, up to a bound; a batch whose answer
was lost is sent again under its number, and counted once.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager

from redis.exceptions import RedisError, ResponseError

from emta.bounce.v1.smtp_reply_pb2 import SmtpReply
from services.bounce.qualify import Answer
from services.bounce.rows.tally import Count, Tally
from services.bounce.store.rows import RowStore
from services.chassis.background import beside
from services.chassis.clock import Clock
from services.chassis.logs import Log

_FLUSH_MS = 1_000
# The store is blocked for some milliseconds by so many.
_ROWS_A_BATCH = 250
# A flood of new texts costs a core and the store less than a tenth of their time. What recurs is counted in
# memory until its turn comes.
_BATCHES_A_FLUSH = 4

_log = Log("bounce")


class Counting:
    """Counts answers on their rows."""

    def __init__(self, rows: RowStore, clock: Clock) -> None:
        self._rows = rows
        self._clock = clock
        self._tally = Tally()
        self._replica = secrets.token_hex(8)
        self._sequence = 0
        self._batch: list[Count] = []  # sent, and not known to be added
        self._away = False

    def count(self, answer: Answer, reply: SmtpReply) -> None:
        """Count one answer."""
        self._tally.add(answer.row, reply)

    async def flush(self) -> None:
        """Write what has waited longest. Raises RedisError: the rest waits."""
        for _ in range(_BATCHES_A_FLUSH):
            if not self._batch:
                if not self._tally:
                    break
                self._batch = self._tally.take(_ROWS_A_BATCH)
                self._sequence += 1
            try:
                await self._rows.count(self._replica, self._sequence, self._batch, self._clock.now_ms())
            except ResponseError as error:
                if type(error) is ResponseError:
                    # The script failed, and would again. Other refusals pass: memory is full, a failover.
                    self._tally.dropped += _occurrences(self._batch)
                    self._batch = []
                raise
            self._batch = []
        if self._tally.dropped:
            _log.warning("replies_not_counted", replies=self._tally.dropped)
            self._tally.dropped = 0

    def running(self) -> AbstractAsyncContextManager[None]:
        """Flush about once a second until the block ends, and then what is left."""
        return beside(self._keep_flushing, _log, then=self._flush_all)

    async def _keep_flushing(self) -> None:
        while True:
            await self._clock.sleep_until(self._clock.now_ms() + _FLUSH_MS)
            await self._try_flush()

    async def _flush_all(self) -> None:
        while await self._try_flush() and self._tally:
            pass
        if lost := _occurrences(self._batch) + self._tally.occurrences + self._tally.dropped:
            _log.warning("replies_not_counted", replies=lost)

    async def _try_flush(self) -> bool:
        try:
            await self.flush()
        except RedisError as error:
            if not self._away:
                _log.warning("rows_wait", problem=type(error).__name__)
            self._away = True
        else:
            self._away = False
        return not self._away


def _occurrences(counts: Iterable[Count]) -> int:
    return sum(count.occurrences for count in counts)
