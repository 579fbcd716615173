"""Who corrected what, when and why. Keys of the tenant:

feedback:{t:<tenant>}:requalification:<id>   a Requalification
feedback:{t:<tenant>}:requalifications       sorted set: their ids by the time when they began (ms)

They are kept for ever: they are few, and hold no recipient.
"""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from emta.feedback.v1.requalify_service_pb2 import Requalification


class Requalifications:
    """The requalifications of one tenant."""

    def __init__(self, store: Redis, tenant: str) -> None:
        self._store = store
        self._prefix = f"feedback:{{t:{tenant}}}:"
        self._names = self._prefix + "requalifications"

    async def write(self, entry: Requalification) -> None:
        """Write one as it stands."""
        name = entry.requalification_id
        async with self._store.pipeline(transaction=True) as pipeline:
            pipeline.set(self._key(name), entry.SerializeToString())
            pipeline.zadd(self._names, {name: entry.start_time.ToMilliseconds()})
            await pipeline.execute()

    async def read(self, name: str) -> Requalification | None:
        """Give one; None: there is none of this name."""
        value: Any = await self._store.get(self._key(name))
        return None if value is None else Requalification.FromString(value)

    async def page(self, skip: int, count: int) -> list[Requalification]:
        """Give up to `count`, the latest first, after the latest `skip`."""
        names: Any = await self._store.zrange(self._names, skip, skip + count - 1, desc=True)
        if not names:
            return []
        values: Any = await self._store.mget([self._key(name.decode()) for name in names])
        return [Requalification.FromString(value) for value in values if value is not None]

    def _key(self, name: str) -> str:
        return f"{self._prefix}requalification:{name}"
