"""What may be worked on now: leases what is due, up to what this process can carry."""

from __future__ import annotations

import asyncio

from redis.exceptions import RedisError

from services.chassis.clock import Clock
from services.chassis.logs import Log
from services.relay.deliver import Deliverer
from services.relay.store.queue import Claimed, Queue

_log = Log("relay")

_CLAIM = 100
# Another Relay may have accepted something, or died: look at least once a second.
_LOOK_MS = 1_000
_STORE_AWAY_SECONDS = 0.2


class Dispatcher:
    """Claims, hands over, and keeps the leases of what is in flight."""

    def __init__(
        self, queue: Queue, clock: Clock, deliverer: Deliverer, *, max_in_flight: int, lease_seconds: float
    ) -> None:
        self._queue = queue
        self._clock = clock
        self._deliverer = deliverer
        self._max_in_flight = max_in_flight
        self._lease_ms = round(lease_seconds * 1000)
        self._in_flight: dict[asyncio.Task[None], Claimed] = {}
        self._wake = asyncio.Event()
        self._first_shard = 0

    def wake(self) -> None:
        """Look again: something was accepted or finished."""
        self._wake.set()

    async def run(self) -> None:
        """Dispatch until cancelled."""
        keeping = asyncio.create_task(self._keep_leases())
        try:
            while True:
                self._wake.clear()
                try:
                    next_look_ms = await self._claim()
                except RedisError as error:
                    _log.warning("store_away", error=type(error).__name__)
                    await asyncio.sleep(_STORE_AWAY_SECONDS)
                    continue
                if next_look_ms is not None:
                    await self._wait(next_look_ms)
        finally:
            keeping.cancel()

    async def drain(self, seconds: float) -> None:
        """Let what is in flight come to its end; what is still there after `seconds` is left behind."""
        self._deliverer.stop()
        keeping = asyncio.create_task(self._keep_leases())
        if self._in_flight:
            _, left = await asyncio.wait(set(self._in_flight), timeout=seconds)
            if left:
                _log.warning("left_behind", messages=len(left))
            for task in left:
                task.cancel()
        keeping.cancel()

    async def _claim(self) -> int | None:
        """Claim from every shard; gives when to look again, or None for "at once"."""
        now_ms = self._clock.now_ms()
        next_look_ms = now_ms + _LOOK_MS
        got_some = False
        for number in range(self._queue.shards):
            free = min(self._max_in_flight - len(self._in_flight), _CLAIM)
            if free <= 0:
                return next_look_ms
            shard = (self._first_shard + number) % self._queue.shards
            claim = await self._queue.claim(shard, now_ms, now_ms + self._lease_ms, free)
            for claimed in claim.messages:
                self._begin(claimed)
            got_some |= bool(claim.messages)
            if claim.next_look_ms is not None:
                next_look_ms = min(next_look_ms, claim.next_look_ms)
        self._first_shard = (self._first_shard + 1) % self._queue.shards
        return None if got_some else next_look_ms

    def _begin(self, claimed: Claimed) -> None:
        task = asyncio.create_task(self._deliverer.deliver(claimed))
        self._in_flight[task] = claimed
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        claimed = self._in_flight.pop(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Its lease runs out, and it is tried again.
            _log.error("attempt_failed", message=claimed.message.message_id, error=repr(error))
        self._wake.set()

    async def _wait(self, until_ms: int) -> None:
        waking = asyncio.create_task(self._wake.wait())
        sleeping = asyncio.create_task(self._clock.sleep_until(until_ms))
        await asyncio.wait({waking, sleeping}, return_when=asyncio.FIRST_COMPLETED)
        waking.cancel()
        sleeping.cancel()

    async def _keep_leases(self) -> None:
        while True:
            await self._clock.sleep_until(self._clock.now_ms() + self._lease_ms // 3)
            claimed = list(self._in_flight.values())
            try:
                await self._queue.renew(claimed, self._clock.now_ms() + self._lease_ms)
            except RedisError as error:
                # Without its lease no transaction begins: see Deliverer.
                _log.warning("leases_not_renewed", error=type(error).__name__)
