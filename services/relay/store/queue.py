"""The durable queue, in shards. All keys of a shard share its hash tag.

    relay:relays                      sorted set: Relays by the end of their announcement (ms)
    relay:shards                      number of shards, fixed when the store is first used
    relay:{s07}:number                the last message's number; a message's name within its shard
    relay:{s07}:message:<number>      its record: what never changes, and the compressed content
    relay:{s07}:progress:<number>     what attempts have learned
    relay:{s07}:due:<domain>          sorted set: numbers by the time when they are due (ms)
    relay:{s07}:domains               sorted set: recipient domains by the time when their first is due
    relay:{s07}:leased                sorted set: numbers by the end of their lease (ms)
    relay:{s07}:leases                hash: number -> "<fence> <domain>"
    relay:{s07}:crashes               hash: number -> how often its owner died with it
    relay:{s07}:suspects              sorted set: numbers whose owners died more than once, by the end
                                      of their validity (ms)
    relay:{s07}:dictionary:<name>     hash: content that others are compressed against, messages that use it
    relay:{s07}:known:<period>:<b>    hash: digest -> acceptance, of all messages accepted in a period
    relay:{s07}:outbox                stream: outcomes that Feedback has not acknowledged, many an entry
    relay:{s07}:outbox_size           number of outcomes in it
    relay:{s07}:dead                  stream: outcomes that Feedback refused for good
    relay:{s07}:replicated            written behind what replicas must have
    relay:{s07}:owner                 hash: the Relay that works on the shard first, and reports for it

A message is in exactly one of due, leased and suspects until it is finished. Every change is one script.
"""

from __future__ import annotations

import hashlib
import secrets
import zlib
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import grpc
from redis.asyncio import Redis
from redis.exceptions import RedisError

from emta.feedback.v1.feedback_service_pb2 import RecordOutcomesItem, RecordOutcomesRequest
from emta.problems import Problem
from services.chassis.logs import Log
from services.chassis.settings import NO_ACKS, Acks
from services.chassis.store import Script, Value, replicated
from services.relay.store import record
from services.relay.store.bodies import Bodies, BodyError, Packed
from services.relay.store.record import Claimed
from services.relay.submission import Submission

_log = Log("relay")

# What is known of accepted messages is kept by periods, so that it goes a whole period at a time: at least
# eight days, longer than the longest validity (3.5 days).
_PERIOD_MS = 4 * 86_400_000
_PERIODS_KEPT = 3
# 300 messages a bucket at ten million a day: hashes of up to 512 small fields are stored without pointers
# (hash-max-listpack-entries), 50 to 60 octets a message.
_BUCKETS = 1 << 14
# Older ones have run out: a lease is longer than so many claims of a store that does not answer.
_LOST_FENCES = 64
_MISSING_DICTIONARY, _OUTBOX_FULL = -1, -2

_accept = Script("services.relay.store", "accept")
_claim = Script("services.relay.store", "claim")
_settle = Script("services.relay.store", "settle")
_renew = Script("services.relay.store", "renew")
_own = Script("services.relay.store", "own")
_acknowledge = Script("services.relay.store", "acknowledge")
_announce = Script("services.relay.store", "announce")


class Accepting(NamedTuple):
    """A checked message on its way into the queue, with its first outcome."""

    submission: Submission
    traceparent: str
    outcome: RecordOutcomesItem


class Settlement(NamedTuple):
    """How a lease ends. `due_ms` None: the message is finished."""

    claimed: Claimed
    due_ms: int | None
    outcomes: Sequence[RecordOutcomesItem]


@dataclass(frozen=True, slots=True)
class Reported:
    """Entries of a shard's outbox that were reported: their names, and how many outcomes they held.

    Those to report `again` wait for something, those `refused` are kept for people to look at.
    """

    entries: Sequence[str]
    outcomes: int
    again: Sequence[RecordOutcomesItem] = ()
    refused: Sequence[RecordOutcomesItem] = ()


@dataclass(frozen=True)
class Appetite:
    """What a Relay can take now.

    At most `messages` and `octets` in all, `of_a_domain` of each domain but for the `exceptions`; a suspect
    only when it has none.
    """

    messages: int
    octets: int
    of_a_domain: int
    exceptions: Mapping[str, int]
    suspect: bool


@dataclass(frozen=True)
class Claim:
    """What a look at a shard gave, and when to look again (None: when something is accepted)."""

    messages: list[Claimed]
    next_look_ms: int | None


class _Part:
    """What a batch has for one shard."""

    def __init__(self, shard: int, batch: Sequence[Accepting], packed: Sequence[Packed]) -> None:
        self.shard = shard
        self.batch = batch
        self.packed = packed
        self.dictionaries = {body.dictionary for body in packed if body.dictionary}


class Queue:
    """The queue of one store. With `acks`, what is accepted and settled waits for replicas."""

    def __init__(self, store: Redis, shards: int, *, outbox_max: int, acks: Acks = NO_ACKS) -> None:
        self._store = store
        self._outbox_max = outbox_max
        self._acks = acks
        self._bodies = Bodies()
        self._holder = secrets.token_hex(8)
        self._claims = 0
        self._lost_fences: dict[int, deque[str]] = {}  # by shard: of claims whose answers have not come
        self._suspected: set[int] = set()  # shards that had one more suspect to give
        self._dictionaries: set[tuple[int, bytes]] = set()  # (shard, name) that the shard should have
        self.shards = shards

    async def fix_shards(self) -> None:
        """Check the number of shards against the store's. Raises Problem SHARDS_MISMATCH."""
        await self._store.set("relay:shards", self.shards, nx=True)
        fixed = int(await self._store.get("relay:shards") or 0)
        if fixed != self.shards:
            raise Problem(
                grpc.StatusCode.FAILED_PRECONDITION,
                "SHARDS_MISMATCH",
                f"EMTA_RELAY_SHARDS is {self.shards}, but the store was set up with {fixed}",
            )

    def shard_of(self, message_id: str) -> int:
        """Shard of a message: the same for ever."""
        return zlib.crc32(message_id.encode()) % self.shards

    async def accept(self, batch: Sequence[Accepting], now_ms: int) -> list[bytes]:
        """Queue messages; they are on disk when it returns.

        Gives per message the serialized Acceptance of an earlier call, or b"" when this is the first.
        Raises RESOURCE_EXHAUSTED OUTBOX_FULL, ReplicasMissing: messages may be queued then, and are known
        when they are submitted again.
        """
        by_shard = _by_shard(self.shard_of(item.submission.id) for item in batch)
        packed = [self._pack(item.submission) for item in batch]
        parts = [
            _Part(shard, [batch[n] for n in numbers], [packed[n] for n in numbers])
            for shard, numbers in by_shard.items()
        ]
        contents = {
            body.dictionary: self._bodies.content_of(body.dictionary) for body in packed if body.dictionary
        }
        firsts = [b""] * len(batch)
        for numbers, answers in zip(
            by_shard.values(), await self._accept_parts(parts, contents, now_ms), strict=True
        ):
            for number, first in zip(numbers, answers, strict=True):
                firsts[number] = first
        return firsts

    async def replicated(self, shards: Iterable[int]) -> None:
        """Return once enough replicas have what was written to some shards. Raises ReplicasMissing."""
        await replicated(self._store, map(_prefix, shards), self._acks)

    def _pack(self, submission: Submission) -> Packed:
        return self._bodies.pack(submission.tenant, submission.message.delivery_id, submission.content)

    async def _accept_parts(
        self, parts: Sequence[_Part], contents: Mapping[bytes, bytes], now_ms: int
    ) -> list[list[bytes]]:
        answers = await _accept.each(
            self._store, [self._acceptance(p, contents, now_ms) for p in parts], self._acks
        )
        for number, part in enumerate(parts):
            if answers[number] == _MISSING_DICTIONARY:
                # It went with the last message that used it, and nothing was taken: once more, with it.
                self._dictionaries.difference_update((part.shard, name) for name in contents)
                key, args = self._acceptance(part, contents, now_ms)
                answers[number] = await _accept(self._store, [key], args, self._acks)
            if answers[number] == _OUTBOX_FULL:
                raise Problem(
                    grpc.StatusCode.RESOURCE_EXHAUSTED,
                    "OUTBOX_FULL",
                    "Feedback has not taken what happened so far; delivery goes on, accepting does not",
                    retry_after=5.0,
                )
            self._dictionaries.update((part.shard, name) for name in part.dictionaries)
        return answers

    def _acceptance(
        self, part: _Part, contents: Mapping[bytes, bytes], now_ms: int
    ) -> tuple[str, list[Value]]:
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
                _framed((item.outcome,)),
            ]
        return _prefix(part.shard), args

    async def claim(
        self, shards: Sequence[int], now_ms: int, leased_until_ms: int, appetite: Appetite
    ) -> Claim:
        """Lease messages of some shards that are due; each gives its part of what is wanted."""
        self._claims += 1
        fence = f"{self._holder}.{self._claims}"
        # One shard only may give a suspect: of two at once nobody knows which one kills.
        asked = next((shard for shard in shards if shard in self._suspected), shards[0])
        calls: list[tuple[str, list[Value]]] = []
        for shard in shards:
            lost = self._lost_fences.setdefault(shard, deque(maxlen=_LOST_FENCES))
            wanted = _wanted(
                appetite, len(shards), fence, lost, suspect=appetite.suspect and shard == asked
            )
            calls.append((_prefix(shard), [now_ms, leased_until_ms, *wanted]))
            lost.append(fence)  # until its answer is here
        answers = await _claim.each(self._store, calls, give_errors=True)
        messages, looks, answered = [], [], []
        for shard, answer in zip(shards, answers, strict=True):
            if isinstance(answer, RedisError):
                # Its node is away. What the others gave is leased to us and must not be dropped.
                _log.warning("shard_away", shard=shard, error=repr(answer))
                continue
            answered.append(shard)
            next_look, flat, suspected = answer
            if next_look:
                looks.append(int(float(next_look)))
            self._suspected.discard(shard)
            if suspected:
                self._suspected.add(shard)
                if appetite.suspect:
                    looks.append(now_ms)
            for at in range(0, len(flat), 4):
                claimed = await self._claimed(shard, flat[at : at + 4])
                if claimed is not None:
                    claimed.fence, claimed.leased_until_ms = fence.encode(), leased_until_ms
                    messages.append(claimed)
        # Only now, for a dictionary may not have come: then all of them are given again.
        for shard in answered:
            self._lost_fences[shard].clear()
        return Claim(messages, min(looks, default=None))

    async def _claimed(self, shard: int, row: Sequence[Any]) -> Claimed | None:
        number, crashes, packed, progress = row
        try:
            claimed, blob = record.unpack(packed)
            if progress:
                record.unpack_progress(progress, claimed)
        except record.RecordError as error:
            # It is given out again and again, and every time somebody is told.
            _log.error("record_unreadable", shard=shard, number=number.decode(), error=str(error))
            return None
        try:
            await self._fetch(shard, claimed.dictionary)
            claimed.content = self._bodies.unpack(blob, claimed.dictionary)
        except BodyError as error:
            _log.error("content_unreadable", message=claimed.message.message_id, error=str(error))
            claimed.damaged = True
        claimed.number, claimed.shard, claimed.crashes = number, shard, crashes
        return claimed

    async def _fetch(self, shard: int, dictionary: bytes) -> None:
        if not dictionary or self._bodies.knows(dictionary):
            return
        key = f"{_prefix(shard)}dictionary:".encode() + dictionary
        content: Any = await self._store.hget(key, "content")
        if content:
            self._bodies.learn(content)

    async def renew(self, claimed: Sequence[Claimed], leased_until_ms: int) -> list[Claimed]:
        """Prolong leases; gives those that are another's by now."""
        calls: list[tuple[str, list[Value]]] = []
        by_shard = _by_shard(message.shard for message in claimed)
        for shard, numbers in by_shard.items():
            args: list[Value] = [leased_until_ms]
            for number in numbers:
                args += [claimed[number].number, claimed[number].fence]
            calls.append((_prefix(shard), args))
        lost = []
        for numbers, answers in zip(by_shard.values(), await _renew.each(self._store, calls), strict=True):
            for number, is_ours in zip(numbers, answers, strict=True):
                if is_ours:
                    claimed[number].leased_until_ms = leased_until_ms
                else:
                    lost.append(claimed[number])
        return lost

    async def settle(self, settlements: Sequence[Settlement]) -> list[bool | None]:
        """End leases; gives per message whether the lease was still ours; None: its node of the Cluster did
        not answer, and nobody knows. Safe to repeat.

        Raises RedisError, ReplicasMissing: the leases have ended, perhaps.
        """
        by_shard = _by_shard(settlement.claimed.shard for settlement in settlements)
        calls = [
            (_prefix(shard), [arg for number in numbers for arg in _end(settlements[number])])
            for shard, numbers in by_shard.items()
        ]
        ours: list[bool | None] = [None] * len(settlements)
        answers = await _settle.each(self._store, calls, self._acks, give_errors=True)
        for (shard, numbers), answer in zip(by_shard.items(), answers, strict=True):
            if isinstance(answer, RedisError):
                _log.warning("shard_away", shard=shard, error=repr(answer))
                continue
            for number, was_ours in zip(numbers, answer, strict=True):
                ours[number] = bool(was_ours)
        return ours

    async def announce(self, relay: str, now_ms: int, until_ms: int | None) -> int:
        """Say that a Relay is at work until a time, or (None) no more; gives how many are."""
        args: list[Value] = [relay, now_ms, "" if until_ms is None else until_ms]
        return int(await _announce(self._store, ["relay:relays"], args))

    async def own(self, shard: int, relay: str, now_ms: int, until_ms: int | None) -> bool:
        """Become or stay the owner of a shard until a time, or (None) end that; says whether we own it."""
        args: list[Value] = [relay, now_ms, "" if until_ms is None else until_ms]
        return bool(await _own(self._store, [_prefix(shard)], args))

    async def outbox(self, shards: Sequence[int], count: int) -> dict[int, list[tuple[str, bytes]]]:
        """Give the oldest entries of some shards, `count` at most of each: their names, and their outcomes
        as a serialized RecordOutcomesRequest that has nothing but items."""
        async with self._store.pipeline(transaction=False) as pipeline:
            for shard in shards:
                pipeline.xrange(f"{_prefix(shard)}outbox", "-", "+", count)
            found: Any = await pipeline.execute()
        return {
            shard: [(name.decode(), fields[b"items"]) for name, fields in entries]
            for shard, entries in zip(shards, found, strict=True)
        }

    async def acknowledge(self, reported: Mapping[int, Reported]) -> None:
        """Drop what Feedback has, by shard; what is to be reported again goes to the end of its outbox."""
        calls: list[tuple[str, list[Value]]] = [
            (
                _prefix(shard),
                [
                    part.outcomes - len(part.again),
                    _framed(part.again) if part.again else b"",
                    _framed(part.refused) if part.refused else b"",
                    *part.entries,
                ],
            )
            for shard, part in reported.items()
        ]
        await _acknowledge.each(self._store, calls)


def _wanted(
    appetite: Appetite, shards: int, fence: str, lost: Iterable[str], *, suspect: bool
) -> list[Value]:
    """What each of some shards is asked for: its part, and of everything at least one."""
    args: list[Value] = [
        -(-appetite.messages // shards),
        -(-appetite.octets // shards),
        max(1, appetite.of_a_domain // shards),
        int(suspect),
        fence,
        "".join(f" {name} " for name in lost),
    ]
    for domain, most in appetite.exceptions.items():
        args += [domain, -(-most // shards)]
    return args


def _end(settlement: Settlement) -> list[Value]:
    claimed, due_ms = settlement.claimed, settlement.due_ms
    return [
        claimed.number,
        claimed.fence,
        "" if due_ms is None else due_ms,
        claimed.domain,
        claimed.dictionary,
        b"" if due_ms is None else record.pack_progress(claimed),
        len(settlement.outcomes),
        _framed(settlement.outcomes),
    ]


def _by_shard(shards: Iterable[int]) -> dict[int, list[int]]:
    """Give, by shard, the positions of what belongs to it."""
    positions: dict[int, list[int]] = {}
    for position, shard in enumerate(shards):
        positions.setdefault(shard, []).append(position)
    return positions


def _framed(outcomes: Sequence[RecordOutcomesItem]) -> bytes:
    return RecordOutcomesRequest(items=outcomes).SerializeToString()


def _prefix(shard: int) -> str:
    return f"relay:{{s{shard:02d}}}:"
