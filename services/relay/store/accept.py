"""How messages come into the queue: each once, with its first outcome, contents compressed."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import grpc
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError, RedisError, TimeoutError

from emta.feedback.v1.feedback_service_pb2 import RecordOutcomesItem
from emta.problems import Problem
from services.chassis.settings import NO_ACKS, Acks
from services.chassis.store import Script, Value, store_problem
from services.relay.store import bodies, record
from services.relay.store.bodies import Bodies, Packed
from services.relay.store.keys import by_shard, prefix
from services.relay.store.outbox import framed
from services.relay.store.silence import Silence
from services.relay.submission import Submission

# What is known of accepted messages is kept by periods, so that it goes a whole period at a time: at least
# eight days, longer than the longest validity (3.5 days).
_PERIOD_MS = 4 * 86_400_000
_PERIODS_KEPT = 3
# 300 messages a bucket at ten million a day: hashes of up to 512 small fields are stored without pointers
# (hash-max-listpack-entries), 50 to 60 octets a message.
_BUCKETS = 1 << 14
_MISSING_DICTIONARY, _OUTBOX_FULL = -1, -2

# In place of the answer of a shard that is not asked.
_SILENT = TimeoutError("it has just not answered")

_accept = Script("services.relay.store", "accept")


class Accepting(NamedTuple):
    """A checked message on its way into the queue, with its first outcome."""

    submission: Submission
    traceparent: str
    outcome: RecordOutcomesItem


class _Part:
    """What a batch has for one shard."""

    def __init__(self, shard: int, batch: Sequence[Accepting], packed: Sequence[Packed]) -> None:
        self.shard = shard
        self.batch = batch
        self.packed = packed
        self.dictionaries = {body.dictionary for body in packed if body.dictionary}


class Acceptor:
    """Accepts into the queue of one store. With `acks`, what is accepted waits for replicas."""

    def __init__(
        self, store: Redis, bodies: Bodies, shards: int, *, outbox_max: int, acks: Acks = NO_ACKS
    ) -> None:
        """`bodies`: those of the queue, so that it knows the dictionaries of what was accepted here."""
        self._store = store
        self._bodies = bodies
        self._shards = shards
        self._outbox_max = outbox_max
        self._acks = acks
        self._silence = Silence()
        self._dictionaries: set[tuple[int, bytes]] = set()  # (shard, name) that the shard should have

    async def accept(self, batch: Sequence[Accepting], now_ms: int) -> list[bytes | Problem]:
        """Queue messages; they are on disk when it returns.

        Gives per message the serialized Acceptance of an earlier call, b"" when this is the first, or why
        its shard does not take it: RESOURCE_EXHAUSTED OUTBOX_FULL, STORE_FULL; of a Cluster UNAVAILABLE,
        too. Raises RedisError, ReplicasMissing when no shard answers. Messages may be queued then, and are
        known when they are submitted again.
        """
        positions = by_shard(self._shard_of(item.submission.id) for item in batch)
        packed = [self._pack(item.submission) for item in batch]
        parts = [
            _Part(shard, [batch[n] for n in numbers], [packed[n] for n in numbers])
            for shard, numbers in positions.items()
        ]
        contents = {
            body.dictionary: self._bodies.content_of(body.dictionary) for body in packed if body.dictionary
        }
        firsts: list[bytes | Problem] = [b""] * len(batch)
        answers = await self._accept_parts(parts, contents, now_ms)
        for numbers, answer in zip(positions.values(), answers, strict=True):
            of_part: Sequence[bytes | Problem] = (
                [answer] * len(numbers) if isinstance(answer, Problem) else answer
            )
            for number, first in zip(numbers, of_part, strict=True):
                firsts[number] = first
        return firsts

    def _pack(self, submission: Submission) -> Packed:
        return self._bodies.pack(submission.tenant, submission.message.delivery_id, submission.content)

    def _shard_of(self, message_id: str) -> int:
        """Shard of a message: the same for ever."""
        return zlib.crc32(message_id.encode()) % self._shards

    async def _accept_parts(
        self, parts: Sequence[_Part], contents: Mapping[bytes, bytes], now_ms: int
    ) -> list[list[bytes] | Problem]:
        asked = set(self._silence.others(part.shard for part in parts))
        answers = await self._run([part for part in parts if part.shard in asked], contents, now_ms)
        away = [answer for answer in answers.values() if _is_away(answer)]
        if away and len(away) == len(parts):
            raise away[0]
        again = [part for part in parts if answers.get(part.shard) == _MISSING_DICTIONARY]
        if again:
            # It went with the last message that used it, and nothing was taken: once more, with it.
            for part in again:
                self._dictionaries.difference_update((part.shard, name) for name in contents)
            answers |= await self._run(again, contents, now_ms)
        for part in parts:
            if isinstance(answers.get(part.shard), list):
                self._dictionaries.update((part.shard, name) for name in part.dictionaries)
        self._forget_dictionaries()
        return [_meaning(answers.get(part.shard, _SILENT)) for part in parts]

    async def _run(
        self, parts: Sequence[_Part], contents: Mapping[bytes, bytes], now_ms: int
    ) -> dict[int, Any]:
        """Give what each shard answers, or its RedisError."""
        calls = [self._call(part, contents, now_ms) for part in parts]
        answers = await _accept.each(self._store, calls, self._acks, give_errors=True)
        shards = [part.shard for part in parts]
        self._silence.note(shards, answers)
        return dict(zip(shards, answers, strict=True))

    def _forget_dictionaries(self) -> None:
        # Of deliveries that are over. What is forgotten too early is sent once more.
        if len(self._dictionaries) > 2 * self._shards * bodies.MOST_DICTIONARIES:
            self._dictionaries = {known for known in self._dictionaries if self._bodies.knows(known[1])}

    def _call(self, part: _Part, contents: Mapping[bytes, bytes], now_ms: int) -> tuple[str, list[Value]]:
        """Give the key and the arguments of the script, for one shard."""
        args: list[Value] = [now_ms // _PERIOD_MS, _PERIODS_KEPT * _PERIOD_MS // 1000, self._outbox_max]
        args.append(len(part.dictionaries))
        for name in part.dictionaries:
            args += [name, b"" if (part.shard, name) in self._dictionaries else contents[name]]
        for item, body in zip(part.batch, part.packed, strict=True):
            submission = item.submission
            digest = hashlib.blake2b(submission.id.encode(), digest_size=16).digest()
            args += [
                digest,
                int.from_bytes(digest[:4]) % _BUCKETS,
                submission.acceptance.SerializeToString(),
                submission.message.rcpt_to.rpartition("@")[2],
                submission.due_ms,
                record.pack(submission, item.traceparent, body),
                body.dictionary,
                framed((item.outcome,)),
            ]
        return prefix(part.shard), args


def _is_away(answer: Any) -> bool:
    return isinstance(answer, RedisError) and not isinstance(answer, OutOfMemoryError)


def _meaning(answer: Any) -> list[bytes] | Problem:
    """Read the answer of a shard."""
    if isinstance(answer, RedisError):
        return store_problem(answer)
    if answer == _OUTBOX_FULL:
        return Problem(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "OUTBOX_FULL",
            "Feedback has not taken what happened so far; delivery goes on, accepting does not",
            retry_after=5.0,
        )
    firsts: list[bytes] = answer
    return firsts
