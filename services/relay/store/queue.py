"""The durable queue, in shards. All keys of a shard share its hash tag.

    relay:shards                     number of shards, fixed when the store is first used
    relay:{s07}:message:<id>         hash: a queued message's record; id = tenant NUL delivery NUL message
    relay:{s07}:due                  sorted set: ids by the time when they are due (ms)
    relay:{s07}:leased               sorted set: ids by the end of their lease (ms)
    relay:{s07}:done:<id>            acceptance of a finished message, for eight days
    relay:{s07}:outbox               stream: outcomes that Feedback has not acknowledged
    relay:{s07}:dead                 stream: outcomes that Feedback refused for good

A message is in exactly one of due and leased until it is finished. Every change is one script.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from redis.asyncio import Redis

from emta.bounce.v1.qualification_pb2 import Qualification
from emta.bounce.v1.smtp_reply_pb2 import SmtpReply
from emta.feedback.v1.feedback_service_pb2 import RecordOutcomesItem
from emta.feedback.v1.outcome_pb2 import HoldCause
from emta.problems import Problem
from emta.relay.v1.message_pb2 import Message
from services.chassis.store import Script, Value
from services.relay.submission import Submission

# Longer than the longest validity (3.5 days): a message submitted again within that time is known.
_REMEMBER_SECONDS = 8 * 86_400

_accept = Script("services.relay.store", "accept")
_claim = Script("services.relay.store", "claim")
_settle = Script("services.relay.store", "settle")


@dataclass
class Claimed:
    """A message on lease: its record, and the fence that guards what is written about it."""

    id: str
    shard: int
    fence: str
    leased_until_ms: int
    tenant: str
    message: Message
    content: bytes
    traceparent: str
    needs_8bitmime: bool
    needs_smtputf8: bool
    accepted_ms: int
    deadline_ms: int
    failed_attempts: int
    sequence: int  # of the last outcome
    reply: SmtpReply | None  # what was said last
    qualification: Qualification | None  # None with a reply: it is not qualified yet
    hold: HoldCause


@dataclass(frozen=True)
class Settlement:
    """How a lease ends. `due_ms` None: the message is finished."""

    claimed: Claimed
    due_ms: int | None
    outcomes: Sequence[RecordOutcomesItem]


@dataclass(frozen=True)
class Claim:
    """What a look at a shard gave, and when to look again (None: when something is accepted)."""

    messages: list[Claimed]
    next_look_ms: int | None


class Queue:
    """The queue of one store."""

    def __init__(self, store: Redis, shards: int) -> None:
        self._store = store
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

    async def accept(
        self, shard: int, batch: Sequence[tuple[Submission, str, RecordOutcomesItem]]
    ) -> list[bytes]:
        """Queue (submission, traceparent, outcome 1) triples of a shard; on disk when it returns.

        Gives per message the serialized Acceptance of an earlier call, or b"" when this is the first.
        """
        args: list[Value] = []
        for submission, traceparent, outcome in batch:
            fields = _record(submission, traceparent)
            args += [submission.id, submission.due_ms, outcome.SerializeToString(), len(fields)]
            args += _flat(fields)
        return list(await _accept(self._store, [_prefix(shard)], args))

    async def claim(self, shard: int, now_ms: int, leased_until_ms: int, count: int) -> Claim:
        """Lease up to `count` messages that are due."""
        keys, args = [_prefix(shard)], [now_ms, leased_until_ms, count]
        next_look, flat = await _claim(self._store, keys, args)
        messages = [
            _claimed(flat[i].decode(), shard, leased_until_ms, flat[i + 1]) for i in range(0, len(flat), 2)
        ]
        return Claim(messages, int(float(next_look)) if next_look else None)

    async def renew(self, claimed: Sequence[Claimed], leased_until_ms: int) -> None:
        """Prolong leases. One that another Relay took over is that Relay's, and no shorter for it."""
        by_shard: dict[int, dict[str, float]] = {}
        for message in claimed:
            by_shard.setdefault(message.shard, {})[message.id] = leased_until_ms
        for shard, scores in by_shard.items():
            await self._store.zadd(f"{_prefix(shard)}leased", scores, xx=True, gt=True)
        for message in claimed:
            message.leased_until_ms = leased_until_ms

    async def settle(self, shard: int, settlements: Sequence[Settlement]) -> list[bool]:
        """End leases of a shard; gives per message whether the lease was still ours."""
        args: list[Value] = [_REMEMBER_SECONDS]
        for settlement in settlements:
            claimed = settlement.claimed
            fields = _progress(claimed) if settlement.due_ms is not None else {}
            args += [claimed.id, claimed.fence]
            args.append("" if settlement.due_ms is None else settlement.due_ms)
            args += [len(settlement.outcomes), *(o.SerializeToString() for o in settlement.outcomes)]
            args += [len(fields), *_flat(fields)]
        return [bool(done) for done in await _settle(self._store, [_prefix(shard)], args)]

    async def outbox(self, shard: int, count: int) -> list[tuple[bytes, RecordOutcomesItem]]:
        """Give the oldest outcomes that are not acknowledged, with their entry ids."""
        entries: Any = await self._store.xrange(f"{_prefix(shard)}outbox", count=count)
        return [(name, RecordOutcomesItem.FromString(fields[b"item"])) for name, fields in entries]

    async def acknowledge(self, shard: int, entries: Sequence[bytes]) -> None:
        """Drop outcomes that Feedback has."""
        await self._store.xdel(f"{_prefix(shard)}outbox", *entries)

    async def bury(self, shard: int, entry: bytes, item: RecordOutcomesItem) -> None:
        """Set an outcome aside that Feedback refuses for good."""
        async with self._store.pipeline(transaction=True) as pipeline:
            pipeline.xadd(f"{_prefix(shard)}dead", {"item": item.SerializeToString()})
            pipeline.xdel(f"{_prefix(shard)}outbox", entry)
            await pipeline.execute()


def _prefix(shard: int) -> str:
    return f"relay:{{s{shard:02d}}}:"


def _record(submission: Submission, traceparent: str) -> dict[str, Value]:
    return {
        "message": submission.message.SerializeToString(),
        "content": submission.content,
        "acceptance": submission.acceptance.SerializeToString(),
        "traceparent": traceparent,
        "needs_8bitmime": int(submission.needs_8bitmime),
        "needs_smtputf8": int(submission.needs_smtputf8),
        "accepted_ms": submission.accepted_ms,
        "deadline_ms": submission.deadline_ms,
        "failed_attempts": 0,
        "sequence": 1,
        "reply": b"",
        "qualification": b"",
        "hold": 0,
        "fence": 0,
    }


def _progress(claimed: Claimed) -> dict[str, Value]:
    """The fields of a record that attempts change."""
    return {
        "failed_attempts": claimed.failed_attempts,
        "sequence": claimed.sequence,
        "reply": claimed.reply.SerializeToString() if claimed.reply else b"",
        "qualification": claimed.qualification.SerializeToString() if claimed.qualification else b"",
        "hold": int(claimed.hold),
    }


def _claimed(message_id: str, shard: int, leased_until_ms: int, flat: Sequence[bytes]) -> Claimed:
    record = dict(zip(flat[::2], flat[1::2], strict=True))
    reply, qualification = record[b"reply"], record[b"qualification"]
    return Claimed(
        id=message_id,
        shard=shard,
        fence=record[b"fence"].decode(),
        leased_until_ms=leased_until_ms,
        tenant=message_id.partition("\0")[0],
        message=Message.FromString(record[b"message"]),
        content=record[b"content"],
        traceparent=record[b"traceparent"].decode(),
        needs_8bitmime=record[b"needs_8bitmime"] == b"1",
        needs_smtputf8=record[b"needs_smtputf8"] == b"1",
        accepted_ms=int(record[b"accepted_ms"]),
        deadline_ms=int(record[b"deadline_ms"]),
        failed_attempts=int(record[b"failed_attempts"]),
        sequence=int(record[b"sequence"]),
        reply=SmtpReply.FromString(reply) if reply else None,
        qualification=Qualification.FromString(qualification) if qualification else None,
        hold=int(record[b"hold"]),  # type: ignore[arg-type]
    )


def _flat(fields: dict[str, Value]) -> list[Value]:
    return [part for item in fields.items() for part in item]
