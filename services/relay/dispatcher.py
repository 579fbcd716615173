"""What may be worked on now: leases what is due, up to what this process can carry."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from redis.exceptions import RedisError

from services.chassis.background import beside, lasting
from services.chassis.clock import Clock, sleep_unless
from services.chassis.headroom import Headroom
from services.chassis.logs import Log
from services.relay.backlog import CLAIM_OF_A_DOMAIN
from services.relay.deliver import Deliverer
from services.relay.shards import Shards
from services.relay.store.queue import Appetite, Queue

_log = Log("relay")

_CLAIM_MESSAGES, _CLAIM_OCTETS = 200, 16 * 1024 * 1024
# So many wait for the Signer: what two calls carry, so that one comes while the other is signed; and one
# call's while far more comes in than can be accepted, for what it gives back keeps new calls waiting
# (fault F16). More would leave no sooner. What waits for receivers is not counted.
_UNSIGNED, _UNSIGNED_IN_A_FLOOD = 200, 100
# Another Relay may have accepted something, or died: look at least so often.
_LOOK_MS = 250
_STORE_AWAY_SECONDS = 0.2
# A store that is back within the lease finds all that is under way still ours.
_RENEW_AGAIN_MS = 1_000
_GATHER_SECONDS = 0.003
# What a site has waiting is a second's work, as far as one can know (backlog.py).
_REFILL_SECONDS = 0.05


class Dispatcher:
    """Claims, hands over, and keeps the leases of what is in flight."""

    def __init__(
        self,
        queue: Queue,
        clock: Clock,
        shards: Shards,
        deliverer: Deliverer,
        headroom: Headroom,
        *,
        in_a_flood: Callable[[], bool],
        max_in_flight: int,
        max_octets: int,
        lease_seconds: float,
        drain_seconds: float,
    ) -> None:
        self._queue = queue
        self._clock = clock
        self._shards = shards
        self._deliverer = deliverer
        self._headroom = headroom
        self._in_a_flood = in_a_flood
        self._max_in_flight = max_in_flight
        self._max_octets = max_octets
        self._lease_ms = round(lease_seconds * 1000)
        self._drain_seconds = drain_seconds
        self._stopping = False
        self._wake = asyncio.Event()
        self._sated = False  # whether the last look left something for want of room
        self._some_full = False  # whether it left something for want of room at some sites
        self._refill: asyncio.TimerHandle | None = None

    def accepted(self) -> None:
        """There may be something to claim."""
        self._wake.set()

    def has_room(self, due_ms: int | None = None) -> None:
        """There is room for something more; a message may be due again already."""
        if self._sated or (due_ms is not None and due_ms <= self._clock.now_ms()):
            self._wake.set()
        elif self._some_full and self._refill is None:
            self._refill = asyncio.get_running_loop().call_later(_REFILL_SECONDS, self._wake.set)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Dispatch until the block ends; then claim and begin no more, and wait for what is in flight."""
        work = asyncio.create_task(lasting(self._run, _log))
        try:
            yield
        finally:
            self._stopping = True
            self._deliverer.stop()
            self._wake.set()
            await work

    async def _run(self) -> None:
        async with beside(self._keep_leases, _log):
            while not self._stopping:
                self._wake.clear()
                if self._refill is not None:
                    self._refill.cancel()
                    self._refill = None
                try:
                    next_look_ms = await self._look()
                except RedisError as error:
                    _log.warning("store_away", error=type(error).__name__)
                    await asyncio.sleep(_STORE_AWAY_SECONDS)
                    continue
                await self._wait(next_look_ms)
            await self._drain()

    async def _drain(self) -> None:
        """Wait until nothing is in flight; what still is after a while is left behind."""
        try:
            async with asyncio.timeout(self._drain_seconds):
                while self._deliverer.in_flight:
                    self._sated = True
                    self._wake.clear()
                    await self._wake.wait()
        except TimeoutError:
            _log.warning("left_behind", messages=len(self._deliverer.in_flight))

    async def _look(self) -> int:
        """Claim from our shards, and from the others when ours have no more; gives when to look again."""
        next_look_ms = self._clock.now_ms() + _LOOK_MS
        self._sated = self._some_full = False
        if not self._headroom.delivers:
            return next_look_ms
        for shards in (sorted(self._shards.mine), self._shards.others):
            appetite = self._appetite()
            if appetite is None:
                return next_look_ms
            if not shards:
                continue
            # What cannot be recorded as it should be is not begun; and claimed before it is written, what
            # has ended would come back as an orphan.
            replicated = await self._queue.replicated(shards)
            recordable = [shard for shard in replicated if self._deliverer.records(shard)]
            now_ms = self._clock.now_ms()
            claim = await self._queue.claim(recordable, now_ms, now_ms + self._lease_ms, appetite)
            for claimed in claim.messages:
                self._deliverer.begin(claimed)
            if claim.next_look_ms is not None:
                next_look_ms = min(next_look_ms, claim.next_look_ms)
            if next_look_ms <= now_ms:
                break
        return next_look_ms

    def _appetite(self) -> Appetite | None:
        flying = self._deliverer.in_flight
        if len(flying) >= self._max_in_flight:
            self._deliverer.lanes.sweep()
        unsigned = _UNSIGNED_IN_A_FLOOD if self._in_a_flood() else _UNSIGNED
        room = min(self._max_in_flight - len(flying), unsigned - self._deliverer.unsigned)
        messages = min(_CLAIM_MESSAGES, room)
        octets = min(_CLAIM_OCTETS, self._max_octets - self._deliverer.octets_in_flight)
        exceptions = self._deliverer.lanes.room()
        self._some_full = bool(exceptions)
        self._sated = self._deliverer.has_suspect
        if messages <= 0 or octets <= 0:
            self._sated = True
            return None
        return Appetite(
            messages=messages,
            octets=octets,
            of_a_domain=CLAIM_OF_A_DOMAIN,
            exceptions=exceptions,
            suspect=not self._deliverer.has_suspect,
        )

    async def _wait(self, until_ms: int) -> None:
        await sleep_unless(self._wake, self._clock, until_ms)
        # More comes close behind, and a look costs about as much for one message as for a hundred.
        await asyncio.sleep(_GATHER_SECONDS)

    async def _keep_leases(self) -> None:
        usual_ms = wait_ms = self._lease_ms // 3
        while True:
            await self._clock.sleep_until(self._clock.now_ms() + wait_ms)
            wait_ms = usual_ms
            claimed = [attempt.claimed for attempt in self._deliverer.in_flight]
            try:
                lost = await self._queue.renew(claimed, self._clock.now_ms() + self._lease_ms)
            except RedisError as error:
                # Without its lease no transaction begins: see Deliverer.
                _log.warning("leases_not_renewed", error=type(error).__name__)
                wait_ms = min(usual_ms, _RENEW_AGAIN_MS)
            else:
                for message in lost:
                    message.leased_until_ms = 0
            self._deliverer.lanes.sweep()
