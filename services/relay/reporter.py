"""The outbox: tells Feedback every outcome until it says that it has it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager

from redis.exceptions import RedisError

from emta.feedback.v1.feedback_service_pb2 import (
    RecordOutcomesItem,
    RecordOutcomesRequest,
    RecordOutcomesResult,
)
from emta.problems import Problem
from services.chassis.background import beside
from services.chassis.logs import Log
from services.relay.peers import Peers
from services.relay.shards import Shards
from services.relay.store.outbox import Outbox, Reported

_log = Log("relay")

_PRODUCER = "relay"
# Feedback takes a thousand at once, in a call of 32 MiB; but its store writes a call down at a stretch,
# 20 us an outcome, and what receivers answer meanwhile waits where the two share a store. An entry holds
# the outcomes of one batch in its shard, a dozen usually; one of outcomes that are offered again, up to as
# many as were offered.
_ENTRIES, _OUTCOMES, _OCTETS = 20, 250, 16 * 1024 * 1024
# Something may have been settled for our shards elsewhere: look at least so often.
_LOOK_SECONDS = 0.25
# More comes close behind, and a call, with what it makes two services write, costs about as much for one
# outcome as for a hundred. Nobody sees a twentieth of a second in a log.
_GATHER_SECONDS = 0.05
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.2, 5.0
_FLUSH_SECONDS = 5.0
# An outcome whose predecessor Feedback does not have yet (another Relay may just be reporting it) is
# offered again behind all others, so often in all.
_ROUNDS = 5


class Reporter:
    """Reports the outcomes of our shards, each shard's in their order."""

    def __init__(self, outbox: Outbox, shards: Shards, peers: Peers) -> None:
        self._outbox = outbox
        self._shards = shards
        self._peers = peers
        self._wake = asyncio.Event()
        self._rounds: Counter[str] = Counter()  # by key of an outcome that has to wait
        self._turn = 0  # with which of our shards a report begins
        self._left_some = False  # whether there was more than the last call could carry

    def wake(self) -> None:
        """Look again: there are new outcomes."""
        self._wake.set()

    def running(self) -> AbstractAsyncContextManager[None]:
        """Report until the block ends, and once more what is there then."""
        return beside(self._run, _log, then=self.flush)

    async def _run(self) -> None:
        wait = _FIRST_WAIT_SECONDS
        while True:
            self._wake.clear()
            try:
                took_some = await self.report()
                wait = _FIRST_WAIT_SECONDS
            except (Problem, RedisError) as error:
                _log.warning("feedback_away", error=str(error) or type(error).__name__)
                await asyncio.sleep(wait)
                wait = min(2 * wait, _LONGEST_WAIT_SECONDS)
                continue
            if not (took_some and self._left_some):
                await self._pause()

    async def flush(self) -> None:
        """Report what is there, once more before the end, for a while at most; what Feedback does not take
        stays, and is for the next owners of our shards."""
        until = time.monotonic() + _FLUSH_SECONDS
        try:
            # What others settle meanwhile has no end.
            while await self.report() and self._left_some and time.monotonic() < until:
                pass
        except (Problem, RedisError) as error:
            _log.warning("feedback_away", error=str(error) or type(error).__name__)

    async def _pause(self) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), _LOOK_SECONDS)
        except TimeoutError:
            return
        await asyncio.sleep(_GATHER_SECONDS)

    async def report(self) -> bool:
        """Report a batch of our shards; gives whether Feedback took any. Raises Problem, RedisError."""
        shards = self._in_turn(sorted(self._shards.mine))
        waiting = await self._outbox.oldest(shards, _ENTRIES) if shards else {}
        request = RecordOutcomesRequest(producer=_PRODUCER)
        names: dict[int, list[str]] = {}
        ends: dict[int, int] = {}
        octets = 0
        self._left_some = any(len(entries) == _ENTRIES for entries in waiting.values())
        for shard, entries in waiting.items():
            for name, items in entries:
                before, octets = len(request.items), octets + len(items)
                request.MergeFromString(items)
                if before and (len(request.items) > _OUTCOMES or octets > _OCTETS):
                    del request.items[before:]
                    octets -= len(items)
                    self._left_some = True
                    break
                names.setdefault(shard, []).append(name)
                ends[shard] = len(request.items)
        if not names:
            return False
        results = await self._peers.record(request)
        reported: dict[int, Reported] = {}
        start = 0
        for shard, end in ends.items():
            again, refused = self._not_taken(request.items[start:end], results[start:end])
            reported[shard] = Reported(names[shard], end - start, again, refused)
            start = end
        await self._outbox.acknowledge(reported)
        return any(part.outcomes > len(part.again) for part in reported.values())

    def _in_turn(self, shards: list[int]) -> list[int]:
        """Begin with another one each time: a call may be full before the last one's turn."""
        self._turn += 1
        first = self._turn % max(1, len(shards))
        return shards[first:] + shards[:first]

    def _not_taken(
        self, items: Sequence[RecordOutcomesItem], results: Sequence[RecordOutcomesResult]
    ) -> tuple[list[RecordOutcomesItem], list[RecordOutcomesItem]]:
        """Give the outcomes to offer again and those that are refused for good."""
        again, refused = [], []
        for item, result in zip(items, results, strict=True):
            if result.HasField("recorded"):
                self._rounds.pop(item.producer_key, None)
                continue
            problem = Problem.from_status(result.error)
            if problem.reason == "OUTCOME_OUT_OF_ORDER":
                self._rounds[item.producer_key] += 1
            if problem.reason != "OUTCOME_INVALID" and self._rounds[item.producer_key] < _ROUNDS:
                again.append(item)
                continue
            self._rounds.pop(item.producer_key, None)
            _log.error("outcome_refused", key=item.producer_key, error=problem.message)
            refused.append(item)
        return again, refused
