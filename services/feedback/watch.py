"""Following the ledger: what is there, then what comes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from emta.feedback.v1.feedback_service_pb2 import WatchLogsResponse
from emta.problems import unavailable
from services.chassis.paging import encode_position
from services.feedback.kpis import kpis
from services.feedback.store.ledger import Ledger

# Another pod may have written: its events are found at the next look.
_LOOK_SECONDS = 0.25
_HEARTBEAT_SECONDS = 15.0


class Bell:
    """Wakes those who follow the ledger when this process has written to it, or stops."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()
        self.stopping = False

    def ring(self) -> None:
        """Wake everybody who listens now."""
        self._rung.set()
        self._rung = asyncio.Event()

    def stop(self) -> None:
        """End all streams: the process drains."""
        self.stopping = True
        self.ring()

    async def listen(self, seconds: float) -> None:
        """Return when it rings, after `seconds` at the latest."""
        try:
            await asyncio.wait_for(self._rung.wait(), seconds)
        except TimeoutError:
            return


async def follow(
    ledger: Ledger, bell: Bell, delivery: str, position: int, stop_when_done: bool
) -> AsyncIterator[WatchLogsResponse]:
    """Yield the events after `position` in order and without gaps, and signs of life."""
    heard = time.monotonic()
    while True:
        # Asked first, events second: what ended the delivery is among the events.
        done = stop_when_done and await _is_done(ledger, delivery)
        events = await ledger.events(delivery, position)
        if events:
            position = events[-1].position
            for event in events:
                event.cursor = encode_position(event.position)
        if events or time.monotonic() - heard > _HEARTBEAT_SECONDS:
            heard = time.monotonic()
            yield WatchLogsResponse(events=events, cursor=encode_position(position))
        if events:
            continue
        if done:
            return
        if bell.stopping:
            raise unavailable("DRAINING", "Feedback is stopping; go on from the last cursor")
        await bell.listen(_LOOK_SECONDS)


async def _is_done(ledger: Ledger, delivery: str) -> bool:
    found = await ledger.delivery(delivery)
    if found is None:
        return False
    told, counters = found
    figures = kpis(delivery, told.state, counters, {})
    return not figures.in_flight and not figures.pending
