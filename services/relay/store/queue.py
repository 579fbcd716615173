"""The durable queue, in shards. All keys of a shard share its hash tag.

    relay:shards                      number of shards, fixed when the store is first used
    relay:{s07}:number                the last message's number; a message's name within its shard
    relay:{s07}:message:<number>      its record: what never changes, and the compressed content
    relay:{s07}:progress:<number>     what attempts have learned
    relay:{s07}:due:<domain>          sorted set: numbers by the time when they are due (ms)
    relay:{s07}:domains               sorted set: recipient domains by the time when their first is due
    relay:{s07}:leased                sorted set: numbers by the end of their lease (ms)
    relay:{s07}:leases                hash: number -> "<fence> <domain>"
    relay:{s07}:crashes               hash: number -> how often its owner died with it
    relay:{s07}:suspects              sorted set: numbers whose owners died more than once, by due time
    relay:{s07}:dictionary:<name>     hash: content that others are compressed against, messages that use it
    relay:{s07}:known:<period>:<b>    hash: digest -> acceptance, of all messages accepted in a period
    relay:{s07}:outbox                stream: outcomes that Feedback has not acknowledged, many an entry
    relay:{s07}:outbox_size           number of outcomes in it
    relay:{s07}:dead                  stream: outcomes that Feedback refused for good
    relay:{s07}:owner                 hash: the Relay that works on the shard first, and reports for it

A message is in exactly one of due, leased and suspects until it is finished. Every change is one script.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from redis.asyncio import Redis

from emta.feedback.v1.feedback_service_pb2 import RecordOutcomesItem, RecordOutcomesRequest
from emta.problems import Problem
from services.chassis.logs import Log
from services.chassis.store import Script, Value
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
_MISSING_DICTIONARY, _OUTBOX_FULL = -1, -2

_accept = Script("services.relay.store", "accept")
_claim = Script("services.relay.store", "claim")
_settle = Script("services.relay.store", "settle")
_renew = Script("services.relay.store", "renew")
_own = Script("services.relay.store", "own")


@dataclass(frozen=True, slots=True)
class Accepting:
    """A checked message on its way into the queue, with its first outcome."""

    submission: Submission
    traceparent: str
    outcome: RecordOutcomesItem


@dataclass(frozen=True, slots=True)
class Settlement:
    """How a lease ends. `due_ms` None: the message is finished."""

    claimed: Claimed
    due_ms: int | None
    outcomes: Sequence[RecordOutcomesItem]


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


class Queue:
    """The queue of one store. With `replicas`, accept and settle wait until so many have them too."""

    def __init__(self, store: Redis, shards: int, *, outbox_max: int, replicas: int = 0) -> None:
        self._store = store
        self._outbox_max = outbox_max
        self._replicas = replicas
        self._bodies = Bodies()
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

    async def accept(self, shard: int, batch: Sequence[Accepting], now_ms: int) -> list[bytes]:
        """Queue messages of a shard; on disk when it returns.

        Gives per message the serialized Acceptance of an earlier call, or b"" when this is the first.
        Raises RESOURCE_EXHAUSTED OUTBOX_FULL.
        """
        packed = [self._pack(item.submission) for item in batch]
        dictionaries = {
            body.dictionary: self._bodies.content_of(body.dictionary) for body in packed if body.dictionary
        }
        answer = await self._accept(shard, batch, packed, dictionaries, now_ms)
        if answer == _MISSING_DICTIONARY:
            # It went with the last message that used it. Nothing was taken: once more, with its content.
            self._dictionaries.difference_update((shard, name) for name in dictionaries)
            answer = await self._accept(shard, batch, packed, dictionaries, now_ms)
        if answer == _OUTBOX_FULL:
            raise Problem(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "OUTBOX_FULL",
                "Feedback has not taken what happened so far; delivery goes on, nothing more is accepted",
                retry_after=5.0,
            )
        return list(answer)

    def _pack(self, submission: Submission) -> Packed:
        return self._bodies.pack(submission.tenant, submission.message.delivery_id, submission.content)

    async def _accept(
        self,
        shard: int,
        batch: Sequence[Accepting],
        packed: Sequence[Packed],
        dictionaries: Mapping[bytes, bytes],
        now_ms: int,
    ) -> Any:
        args: list[Value] = [now_ms // _PERIOD_MS, _PERIODS_KEPT * _PERIOD_MS // 1000, self._outbox_max]
        args.append(len(dictionaries))
        for name, content in dictionaries.items():
            args += [name, b"" if (shard, name) in self._dictionaries else content]
        for item, body in zip(batch, packed, strict=True):
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
        answer = await _accept(self._store, [_prefix(shard)], args)
        if isinstance(answer, list):
            self._dictionaries.update((shard, name) for name in dictionaries)
        return answer

    async def claim(self, shard: int, now_ms: int, leased_until_ms: int, appetite: Appetite) -> Claim:
        """Lease messages that are due."""
        args: list[Value] = [
            now_ms,
            leased_until_ms,
            appetite.messages,
            appetite.octets,
            appetite.of_a_domain,
            int(appetite.suspect),
        ]
        for domain, most in appetite.exceptions.items():
            args += [domain, most]
        next_look, fence, flat = await _claim(self._store, [_prefix(shard)], args)
        messages = []
        for at in range(0, len(flat), 4):
            claimed = await self._claimed(shard, flat[at : at + 4])
            if claimed is not None:
                claimed.fence, claimed.leased_until_ms = b"%d" % fence, leased_until_ms
                messages.append(claimed)
        return Claim(messages, int(float(next_look)) if next_look else None)

    async def _claimed(self, shard: int, row: Sequence[Any]) -> Claimed | None:
        number, crashes, packed, progress = row
        try:
            claimed, blob = record.unpack(packed)
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
        if progress:
            record.unpack_progress(progress, claimed)
        claimed.number, claimed.shard, claimed.crashes = number, shard, crashes
        return claimed

    async def _fetch(self, shard: int, dictionary: bytes) -> None:
        if not dictionary or self._bodies.knows(dictionary):
            return
        key = f"{_prefix(shard)}dictionary:".encode() + dictionary
        content: Any = await self._store.hget(key, "content")
        if content:
            self._bodies.learn(content)

    async def renew(self, claimed: Iterable[Claimed], leased_until_ms: int) -> list[Claimed]:
        """Prolong leases; gives those that are another's by now."""
        by_shard: dict[int, list[Claimed]] = {}
        for message in claimed:
            by_shard.setdefault(message.shard, []).append(message)
        lost = []
        for shard, messages in by_shard.items():
            args: list[Value] = [leased_until_ms]
            for message in messages:
                args += [message.number, message.fence]
            held = await _renew(self._store, [_prefix(shard)], args)
            for message, is_ours in zip(messages, held, strict=True):
                if is_ours:
                    message.leased_until_ms = leased_until_ms
                else:
                    lost.append(message)
        return lost

    async def settle(self, shard: int, settlements: Sequence[Settlement]) -> list[bool]:
        """End leases of a shard; gives per message whether the lease was still ours."""
        args: list[Value] = []
        for settlement in settlements:
            claimed, due_ms = settlement.claimed, settlement.due_ms
            args += [
                claimed.number,
                claimed.fence,
                "" if due_ms is None else due_ms,
                claimed.domain,
                claimed.dictionary,
                b"" if due_ms is None else record.pack_progress(claimed),
                len(settlement.outcomes),
                _framed(settlement.outcomes),
            ]
        return [bool(done) for done in await _settle(self._store, [_prefix(shard)], args)]

    async def own(self, shard: int, relay: str, now_ms: int, until_ms: int | None) -> bool:
        """Become or stay the owner of a shard until a time, or (None) end that; says whether we own it."""
        args: list[Value] = [relay, now_ms, "" if until_ms is None else until_ms]
        return bool(await _own(self._store, [_prefix(shard)], args))

    async def outbox(self, shard: int, count: int) -> list[tuple[str, bytes]]:
        """Give the oldest entries: their names, and their outcomes as a serialized RecordOutcomesRequest
        that has nothing but items."""
        found: Any = await self._store.xrange(f"{_prefix(shard)}outbox", "-", "+", count)
        return [(name.decode(), fields[b"items"]) for name, fields in found]

    async def acknowledge(
        self, shard: int, entries: Sequence[str], outcomes: int, again: Sequence[RecordOutcomesItem] = ()
    ) -> None:
        """Drop entries that hold `outcomes` in all; those to report `again` go to the end of the outbox."""
        key = f"{_prefix(shard)}outbox"
        async with self._store.pipeline(transaction=True) as pipeline:
            pipeline.xdel(key, *entries)
            if again:
                pipeline.xadd(key, {"items": _framed(again)})
            pipeline.decrby(f"{key}_size", outcomes - len(again))
            await pipeline.execute()

    async def bury(self, shard: int, items: Sequence[RecordOutcomesItem]) -> None:
        """Keep outcomes that Feedback refuses for good, for people to look at."""
        await self._store.xadd(f"{_prefix(shard)}dead", {"items": _framed(items)})


def _framed(outcomes: Sequence[RecordOutcomesItem]) -> bytes:
    return RecordOutcomesRequest(items=outcomes).SerializeToString()


def _prefix(shard: int) -> str:
    return f"relay:{{s{shard:02d}}}:"
