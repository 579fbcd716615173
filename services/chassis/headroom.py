"""How much room the store has: below one mark nothing more is accepted, below another nothing is delivered.

A store that runs full refuses every write, or (Valkey on a full disk) exits; what is queued must always
find room for its end.
"""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis, RedisCluster
from redis.exceptions import RedisError

from services.chassis.logs import Log

_log = Log("store")
_LOOK_SECONDS = 1.0
# What was refused at a mark is taken again a little beyond it, so that it does not flap.
_BACK = 0.9
# Of a large disk a tenth is more than anybody needs to keep free.
_DISK_ENOUGH_BYTES = 10 * 1024**3


@dataclass(frozen=True)
class Marks:
    """Per cent: memory used at which accepting ends, disk left at which accepting and delivery end."""

    memory_accept: float
    disk_accept: float
    disk_deliver: float


class Headroom:
    """Watches a store. `accepts` and `delivers` say what there is room for."""

    def __init__(self, store: Redis, marks: Marks) -> None:
        self._store = store
        self._marks = marks
        self.accepts = True
        self.delivers = True

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            # While the store is away nobody can accept or deliver anyway.
            with suppress(RedisError):
                await self.look()
            await asyncio.sleep(_LOOK_SECONDS)

    async def look(self) -> None:
        """Look once. Raises RedisError."""
        memory = await self._memory_used()
        left = await self._disk_left()
        self._decide(memory, left)

    def _decide(self, memory: float, left: float) -> None:
        """`memory`: per cent used; `left`: per cent of the disk."""
        slack = 1.0 if self.accepts else _BACK
        accepts = memory < self._marks.memory_accept * slack and left * slack > self._marks.disk_accept
        delivers = left * (1.0 if self.delivers else _BACK) > self._marks.disk_deliver
        if (accepts, delivers) != (self.accepts, self.delivers):
            _log.warning(
                "headroom",
                accepts=accepts,
                delivers=delivers,
                memory_used_percent=round(memory, 1),
                disk_left_percent=round(left, 1),
            )
        self.accepts, self.delivers = accepts, delivers

    async def _memory_used(self) -> float:
        store: Any = self._store
        if isinstance(store, RedisCluster):
            answers = await store.info("memory", target_nodes=RedisCluster.PRIMARIES)
            nodes = answers.values() if "used_memory" not in answers else [answers]
        else:
            nodes = [await store.info("memory")]
        shares: list[float] = [
            node["used_memory"] / (node["maxmemory"] or node["total_system_memory"]) for node in nodes
        ]
        return 100.0 * max(shares)

    async def _disk_left(self) -> float:
        """Per cent that is left of the store's disk, where the store is on this machine; else 100."""
        store: Any = self._store
        if isinstance(store, RedisCluster) or "path" not in store.connection_pool.connection_kwargs:
            return 100.0
        try:
            usage = shutil.disk_usage((await store.config_get("dir"))["dir"])
        except OSError:
            return 100.0
        return 100.0 if usage.free > _DISK_ENOUGH_BYTES else 100 * usage.free / usage.total
