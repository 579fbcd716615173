"""The outbox: outcomes that Feedback has not acknowledged, in the order in which they came about.

What accepts a message or settles it writes its outcomes here in the same step.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from emta.feedback.v1.feedback_service_pb2 import RecordOutcomesItem, RecordOutcomesRequest
from services.chassis.store import Script, Value
from services.relay.store.keys import prefix

_acknowledge = Script("services.relay.store", "acknowledge")


@dataclass(frozen=True, slots=True)
class Reported:
    """Entries of a shard's outbox that were reported: their names, and how many outcomes they held.

    Those to report `again` wait for something, those `refused` are kept for people to look at.
    """

    entries: Sequence[str]
    outcomes: int
    again: Sequence[RecordOutcomesItem] = ()
    refused: Sequence[RecordOutcomesItem] = ()


class Outbox:
    """The outbox of one store."""

    def __init__(self, store: Redis) -> None:
        self._store = store

    async def oldest(self, shards: Sequence[int], count: int) -> dict[int, list[tuple[str, bytes]]]:
        """Give the oldest entries of some shards, `count` at most of each: their names, and their outcomes
        as a serialized RecordOutcomesRequest that has nothing but items."""
        async with self._store.pipeline(transaction=False) as pipeline:
            for shard in shards:
                pipeline.xrange(f"{prefix(shard)}outbox", "-", "+", count)
            found: Any = await pipeline.execute()
        return {
            shard: [(name.decode(), fields[b"items"]) for name, fields in entries]
            for shard, entries in zip(shards, found, strict=True)
        }

    async def acknowledge(self, reported: Mapping[int, Reported]) -> None:
        """Drop what Feedback has, by shard; what is to be reported again goes to the end of its outbox."""
        calls: list[tuple[str, list[Value]]] = [
            (
                prefix(shard),
                [
                    part.outcomes - len(part.again),
                    framed(part.again) if part.again else b"",
                    framed(part.refused) if part.refused else b"",
                    *part.entries,
                ],
            )
            for shard, part in reported.items()
        ]
        await _acknowledge.each(self._store, calls)


def framed(outcomes: Sequence[RecordOutcomesItem]) -> bytes:
    """Give outcomes in the form of an entry."""
    return RecordOutcomesRequest(items=outcomes).SerializeToString()
