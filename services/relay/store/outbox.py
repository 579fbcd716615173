"""The outbox: outcomes that Feedback has not acknowledged, in the order in which they came about.

What accepts a message or settles it writes its outcomes here in the same step.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from redis.asyncio import Redis
from redis.exceptions import RedisError

from emta.feedback.v1.feedback_service_pb2 import RecordOutcomesItem, RecordOutcomesRequest
from services.chassis.store import Script, Value
from services.relay.store.keys import prefix
from services.relay.store.silence import Silence

_oldest = Script("services.relay.store", "oldest")
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
        self._silence = Silence()

    async def oldest(self, shards: Iterable[int], count: int) -> dict[int, list[tuple[str, bytes]]]:
        """Give the oldest entries of some shards, `count` at most of each: their names, and their outcomes
        as a serialized RecordOutcomesRequest that has nothing but items. Shards that do not answer are
        missing."""
        asked = self._silence.others(shards)
        answers = await _oldest.each(
            self._store, [(prefix(shard), [count]) for shard in asked], give_errors=True
        )
        self._silence.note(asked, answers)
        return {
            shard: [(flat[at].decode(), flat[at + 1]) for at in range(0, len(flat), 2)]
            for shard, flat in zip(asked, answers, strict=True)
            if not isinstance(flat, RedisError)
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
