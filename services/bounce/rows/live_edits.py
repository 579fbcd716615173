"""What operators say of texts, in force at every replica within seconds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.exceptions import RedisError

from services.bounce.catalogue.live_rules import LiveRules
from services.bounce.store.rows import RowStore
from services.chassis.background import beside
from services.chassis.clock import Clock
from services.chassis.logs import Log

# How soon another replica's edit is in force here. A look costs the store one GET.
_LOOK_MS = 2_000

_log = Log("bounce")


class LiveEdits:
    """Hands the store's edits to the rules. While the store is away, those that were read last stay."""

    def __init__(self, rows: RowStore, rules: LiveRules) -> None:
        self._rows = rows
        self._rules = rules
        self._revision: bytes | None = None
        self._reading = asyncio.Lock()

    async def look(self) -> None:
        """Have what the store says now decide. Raises RedisError."""
        async with self._reading:
            # Before the edits: what changes between the two is seen at the next look.
            revision = await self._rows.revision()
            if revision == self._revision:
                return
            edits = await self._rows.edits()
            self._rules.use(edits)
            self._revision = revision
            _log.info("edits in force", edits=len(edits), version=self._rules.qualifier.version)

    @asynccontextmanager
    async def following(self, clock: Clock) -> AsyncIterator[None]:
        """Look now, and again and again until the block ends. Raises RedisError at the first look."""
        await self.look()
        async with beside(lambda: self._follow(clock), _log):
            yield

    async def _follow(self, clock: Clock) -> None:
        away = False
        while True:
            await clock.sleep_until(clock.now_ms() + _LOOK_MS)
            try:
                await self.look()
                away = False
            except RedisError as error:
                if not away:
                    _log.warning("edits_stay", problem=type(error).__name__)
                away = True
