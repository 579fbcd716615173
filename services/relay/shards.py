"""Which shards are this Relay's: shared out among all that live, without a leader.

Every Relay announces itself and takes its share of the shards, rounded up; what it has beyond that it
lets go. The owner of a shard works on it first and reports for it. Nothing breaks when two take
themselves for the owner for a moment: leases and sequence numbers guard the messages.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.exceptions import RedisError

from services.chassis.background import beside
from services.chassis.clock import Clock
from services.chassis.logs import Log
from services.relay.store.owners import Owners

_log = Log("relay")


class Shards:
    """The shards of one Relay; `relay_id` is like no other's."""

    def __init__(self, owners: Owners, clock: Clock, relay_id: str, lease_seconds: float) -> None:
        self._owners = owners
        self._clock = clock
        self._relay_id = relay_id
        self._lease_ms = round(lease_seconds * 1000)
        self._first = zlib.crc32(relay_id.encode()) % owners.shards
        self.mine: set[int] = set()

    @property
    def others(self) -> list[int]:
        """Shards to help with when there is nothing to do on one's own."""
        return [shard for shard in self._in_order() if shard not in self.mine]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Have our share until the block ends. Raises RedisError."""
        await self.share()
        async with beside(self._keep, _log, then=self.leave):
            yield

    async def _keep(self) -> None:
        while True:
            await self._clock.sleep_until(self._clock.now_ms() + self._lease_ms // 3)
            try:
                await self.share()
            except RedisError as error:
                # Whoever cannot reach the store cannot work on a shard either.
                _log.warning("store_away", error=type(error).__name__)

    async def share(self) -> None:
        """Announce ourselves, and take or let go shards. Raises RedisError."""
        now_ms = self._clock.now_ms()
        relays = await self._owners.announce(self._relay_id, now_ms, now_ms + self._lease_ms)
        share = -(-self._owners.shards // relays)
        until_ms = now_ms + self._lease_ms
        ours = [shard for shard in self._in_order() if shard in self.mine]
        await self._owners.own(ours[share:], self._relay_id, now_ms, None)
        owned = await self._owners.own(ours[:share], self._relay_id, now_ms, until_ms)
        # Of a shard that does not answer nobody else becomes the owner either.
        mine = {shard for shard in ours[:share] if owned.get(shard, True)}
        left = self.others
        while left and len(mine) < share:
            some = left[: share - len(mine)]
            left = left[len(some) :]
            owned = await self._owners.own(some, self._relay_id, now_ms, until_ms)
            mine.update(shard for shard in some if owned.get(shard))
        self.mine = mine

    async def leave(self) -> None:
        """Let go of everything, so that others need not wait until our time is over."""
        try:
            now_ms = self._clock.now_ms()
            await self._owners.announce(self._relay_id, now_ms, None)
            await self._owners.own(list(self.mine), self._relay_id, now_ms, None)
        except RedisError as error:
            _log.warning("store_away", error=type(error).__name__)
        self.mine = set()

    def _in_order(self) -> list[int]:
        shards = self._owners.shards
        return [(self._first + number) % shards for number in range(shards)]
