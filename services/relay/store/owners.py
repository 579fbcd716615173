"""Into how many shards the queue is divided, and which Relay works on which first."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
from redis.asyncio import Redis
from redis.exceptions import RedisError

from emta.problems import Problem
from services.chassis.store import Script, Value
from services.relay.store.keys import RELAYS, SHARDS, prefix
from services.relay.store.silence import Silence

_announce = Script("services.relay.store", "announce")
_own = Script("services.relay.store", "own")


class Owners:
    """The owners of the shards of one store."""

    def __init__(self, store: Redis, shards: int) -> None:
        self._store = store
        self.shards = shards
        self._silence = Silence()

    async def fix_shards(self) -> None:
        """Check the number of shards against the store's. Raises Problem SHARDS_MISMATCH."""
        await self._store.set(SHARDS, self.shards, nx=True)
        fixed = int(await self._store.get(SHARDS) or 0)
        if fixed != self.shards:
            raise Problem(
                grpc.StatusCode.FAILED_PRECONDITION,
                "SHARDS_MISMATCH",
                f"EMTA_RELAY_SHARDS is {self.shards}, but the store was set up with {fixed}",
            )

    async def announce(self, relay: str, now_ms: int, until_ms: int | None) -> int:
        """Say that a Relay is at work until a time, or (None) no more; gives how many are."""
        args: list[Value] = [relay, now_ms, "" if until_ms is None else until_ms]
        return int(await _announce(self._store, [RELAYS], args))

    async def own(
        self, shards: Sequence[int], relay: str, now_ms: int, until_ms: int | None
    ) -> dict[int, bool]:
        """Become or stay the owner of shards until a time, or (None) end that; says of those that answer
        whether we own them."""
        args: list[Value] = [relay, now_ms, "" if until_ms is None else until_ms]
        answers = await _own.each(
            self._store, [(prefix(shard), args) for shard in shards], give_errors=True
        )
        self._silence.note(shards, answers)
        return {
            shard: bool(answer)
            for shard, answer in zip(shards, answers, strict=True)
            if not isinstance(answer, RedisError)
        }
