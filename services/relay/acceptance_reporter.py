"""Tells Bounce whose messages were accepted: off the way of messages, and lossy by design."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from emta.bounce.v1.bounce_service_pb2 import QualifyRepliesItem, QualifyRepliesResult
from emta.problems import Problem
from services.chassis.background import beside
from services.chassis.logs import Log
from services.relay.acceptances import Acceptances
from services.relay.peers import Peers

_log = Log("relay")

_EVERY_SECONDS = 1.0


class AcceptanceReporter:
    """Reports about once a second, and with every batch of refusals what was accepted before it.

    Bounce compares the two: refusals that overtake acceptances would look like an outage.
    """

    def __init__(self, acceptances: Acceptances, peers: Peers) -> None:
        self._acceptances = acceptances
        self._peers = peers

    async def qualify(self, items: Sequence[QualifyRepliesItem]) -> Sequence[QualifyRepliesResult]:
        """Have refusals qualified; a result per item. Raises Problem."""
        told = self._acceptances.take()
        try:
            return await self._peers.qualify(items, told)
        except Problem:
            self._acceptances.lost(told)
            raise

    def running(self) -> AbstractAsyncContextManager[None]:
        """Report until the block ends, and once more what there is then."""
        return beside(self._run, _log, then=self.flush)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(_EVERY_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Report what there is. While Bounce is away only its number is kept."""
        if not (told := self._acceptances.take()):
            return
        try:
            await self._peers.report_acceptances(told)
        except Problem:
            self._acceptances.lost(told)
