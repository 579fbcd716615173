"""The outbox: tells Feedback every outcome until it says that it has it."""

from __future__ import annotations

import asyncio

from redis.exceptions import RedisError

from emta.problems import Problem
from services.chassis.logs import Log
from services.relay.peers import Peers
from services.relay.store.queue import Queue

_log = Log("relay")

_BATCH = 200
# Another Relay may have settled something and died: look at least so often.
_LOOK_SECONDS = 0.5
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.2, 5.0


class Reporter:
    """Reports the outcomes of all shards, each shard's in their order."""

    def __init__(self, queue: Queue, peers: Peers) -> None:
        self._queue = queue
        self._peers = peers
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Look again: there are new outcomes."""
        self._wake.set()

    async def run(self) -> None:
        """Report until cancelled."""
        wait = _FIRST_WAIT_SECONDS
        while True:
            self._wake.clear()
            try:
                more = await self.report()
                wait = _FIRST_WAIT_SECONDS
            except (Problem, RedisError) as error:
                _log.warning("feedback_away", error=str(error) or type(error).__name__)
                await asyncio.sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT_SECONDS)
                continue
            if not more:
                await self._pause()

    async def flush(self) -> None:
        """Report what is there, once more before the end; what Feedback does not take stays."""
        try:
            while await self.report():
                pass
        except (Problem, RedisError) as error:
            _log.warning("feedback_away", error=str(error) or type(error).__name__)

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), _LOOK_SECONDS)
        except TimeoutError:
            return

    async def report(self) -> bool:
        """Report a batch of every shard; gives whether Feedback took any. Raises Problem, RedisError."""
        taken = await asyncio.gather(*(self._report(shard) for shard in range(self._queue.shards)))
        return any(taken)

    async def _report(self, shard: int) -> bool:
        entries = await self._queue.outbox(shard, _BATCH)
        if not entries:
            return False
        results = await self._peers.record(f"relay/s{shard:02d}", [item for _, item in entries])
        acknowledged = []
        for (name, item), result in zip(entries, results, strict=True):
            if result.WhichOneof("result") == "recorded":
                acknowledged.append(name)
                continue
            problem = Problem.from_status(result.error)
            if problem.reason == "OUTCOME_INVALID":
                _log.error("outcome_refused", key=item.producer_key, error=problem.message)
                await self._queue.bury(shard, name, item)
        if acknowledged:
            await self._queue.acknowledge(shard, acknowledged)
        return bool(acknowledged)
