"""Shards that do not answer: of a Cluster, those of a node that is away."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from typing import Any

from redis.exceptions import OutOfMemoryError, RedisError, TimeoutError

from services.chassis.logs import Log

_log = Log("relay")

# At each call that asks it, the others wait until the time-out of the store (2 s) for a node that says
# nothing. Once it is back it is to be at work within five seconds (fault F3).
_LEFT_ALONE_SECONDS = 4.0


class Silence:
    """Remembers for a while whose answers did not come in time."""

    def __init__(self) -> None:
        self._until: dict[int, float] = {}  # by shard, monotonic

    def others(self, shards: Iterable[int]) -> list[int]:
        """Give those of some shards that may be asked now."""
        now = time.monotonic()
        return [shard for shard in shards if self._until.get(shard, now) <= now]

    def note(self, shards: Iterable[int], answers: Sequence[Any]) -> None:
        """Take in what shards answered, RedisErrors among it; that there is no memory left is an answer."""
        errors = {
            shard: answer
            for shard, answer in zip(shards, answers, strict=True)
            if isinstance(answer, RedisError) and not isinstance(answer, OutOfMemoryError)
        }
        if not errors:
            return
        _log.warning("shards_away", shards=list(errors), error=repr(next(iter(errors.values()))))
        until = time.monotonic() + _LEFT_ALONE_SECONDS
        self._until |= {shard: until for shard, error in errors.items() if isinstance(error, TimeoutError)}
