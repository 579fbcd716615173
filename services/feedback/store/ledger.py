"""The ledger of a tenant, its rows and counters. All keys of a tenant share one hash tag.

feedback:{t:<tenant>}:position           position of the last event
feedback:{t:<tenant>}:ledger             stream: every event, positions without gaps; an entry holds those
                                         of a commit, named "<position> <sent> <accepted> <announced>" with
                                         the delivery's figures then, and has the id <last position>-0
feedback:{t:<tenant>}:events:<delivery>  stream of the positions of a delivery's events, likewise
feedback:{t:<tenant>}:row:<d>NUL<m>      "<version> <sequence>", LF, entry; the version is the position of
                                         the last change
feedback:{t:<tenant>}:rows:<delivery>    sorted set: message ids by position of acceptance
feedback:{t:<tenant>}:delivery:<d>       hash: what was announced, and the counters
feedback:{t:<tenant>}:domains:<d>        hash: counters by recipient domain
feedback:{t:<tenant>}:replicated         written behind what replicas must have
feedback:{t:<tenant>}:failed:<hour>      stream: the messages that failed in an hour of Unix time, named by
                                         the position, "<domain> <epoch> <delivery> <message>"; ids likewise
feedback:{t:<tenant>}:found:<day>:<bucket>      string: of the messages accepted in a day of Unix time,
                                         digest of Message-ID or recipient and position, 6 octets each
feedback:{t:<tenant>}:seen:<producer>NUL<key>   position of an unsequenced outcome, kept for eight days
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from redis.asyncio import Redis

from emta.feedback.v1.delivery_pb2 import Delivery, DeliveryState
from emta.feedback.v1.log_pb2 import LogEntry, LogEvent
from services.chassis.settings import NO_ACKS, Acks
from services.chassis.store import Script, Value, replicated
from services.feedback.finding import DAYS
from services.feedback.kpis import to_deliver

# Longer than an outcome may be late: validity 3.5 days, or 7 days for an asynchronous bounce.
_REMEMBER_SECONDS = 8 * 86_400
# For how long failures are found by their time. The longest provider's error known (Italia Online, January
# 2023) went on for five days, and a status page told within one more.
_KEEP_FAILED_SECONDS = 14 * 86_400
# A day's index holds what comes until its end.
_KEEP_FOUND_SECONDS = (DAYS + 1) * 86_400
# The first octets of a digest say in which of the strings of its day it lies: at ten million messages a day
# each has 15 KiB, which a look-up reads for every day. As in commit.lua.
_BUCKETS, _BUCKET_OCTETS = 16_384, 2
# Of thousands of messages to one seed address, the last are enough.
_MOST_FOUND = 20
HOUR_MS = 3_600_000
CHANGED_BY_THIS_CALL = "@"
# Entries of a stream read at once; each holds up to 250 events.
_ENTRIES = 4
# The same of the index of failures, whose entries are small: one failure in quiet times, 250 in an outage.
_FAILED_ENTRIES = 50

_commit = Script("services.feedback.store", "commit")
_find = Script("services.feedback.store", "find")


@dataclass
class Row:
    """A message's row with what guards it."""

    version: str  # "" when there is none
    sequence: int
    entry: LogEntry | None


class Change(NamedTuple):
    """A decided outcome, ready to commit."""

    expected: str
    sequence: int
    entry: LogEntry
    event: LogEvent
    unsequenced_key: str
    counters: dict[str, int]
    domain: str
    domain_counters: dict[str, int]
    failed_ms: int | None = None  # when the message failed, if this made it fail
    found_by: bytes = b""  # what it will be found by (finding.py), if this is the message's first


@dataclass(frozen=True)
class FailedMessage:
    """An entry of the index of failures."""

    position: int
    domain: str
    epoch: int
    delivery: str
    message: str


class Ledger:
    """The ledger of one tenant. With `acks`, what is written waits for replicas: else ReplicasMissing."""

    def __init__(self, store: Redis, tenant: str, acks: Acks = NO_ACKS) -> None:
        self._store = store
        self._acks = acks
        self._prefix = f"feedback:{{t:{tenant}}}:"

    async def rows(self, names: Sequence[tuple[str, str]]) -> list[Row]:
        """Load the rows of (delivery, message) pairs."""
        if not names:
            return []
        values: Any = await self._store.mget([self._row(*name) for name in names])
        return [_row(value) for value in values]

    async def commit(self, changes: Iterable[Change], now_ms: int) -> list[int]:
        """Commit; gives per change its position, or 0 when its row has changed.

        For a duplicate, minus the position of the first.
        """
        args: list[Value] = [now_ms, _REMEMBER_SECONDS, _KEEP_FAILED_SECONDS, _KEEP_FOUND_SECONDS]
        for change in changes:
            entry = change.entry
            args += [entry.delivery_id, entry.message_id, change.expected, change.sequence]
            args += [entry.SerializeToString(), change.event.SerializeToString(), change.unsequenced_key]
            args += _flat(change.counters)
            args.append(change.domain)
            args += _flat(change.domain_counters)
            args += _indexed(change)
            args.append(change.found_by)
        return list(await _commit(self._store, [self._prefix], args, self._acks))

    async def replicated(self) -> None:
        """Return once enough replicas have what was written before."""
        await replicated(self._store, [self._prefix], self._acks)

    async def delivery(self, delivery: str) -> tuple[Delivery, dict[str, int]] | None:
        """Give a delivery and its counters; None when nobody ever told of it."""
        fields: Any = await self._store.hgetall(self._delivery(delivery))
        if not fields:
            return None
        told = Delivery.FromString(fields.pop(b"told", b""))
        told.delivery_id = delivery
        open_ms, close_ms = int(fields.pop(b"open_ms", 0)), int(fields.pop(b"close_ms", 0))
        told.open_time.FromMilliseconds(open_ms)
        if close_ms:
            told.close_time.FromMilliseconds(close_ms)
            told.state = DeliveryState.DELIVERY_STATE_CLOSED
        elif told.state == DeliveryState.DELIVERY_STATE_UNSPECIFIED:
            told.state = DeliveryState.DELIVERY_STATE_UNANNOUNCED
        return told, {name.decode(): int(count) for name, count in fields.items()}

    async def domains(self, delivery: str) -> dict[str, dict[str, int]]:
        """Give the counters of a delivery by recipient domain."""
        domains: dict[str, dict[str, int]] = {}
        fields: Any = await self._store.hgetall(f"{self._prefix}domains:{delivery}")
        for name, count in fields.items():
            domain, _, counter = name.decode().partition("\0")
            domains.setdefault(domain, {})[counter] = int(count)
        return domains

    async def open(self, delivery: Delivery, now_ms: int) -> None:
        """Write what was announced; a closed delivery is open again."""
        key = self._delivery(delivery.delivery_id)
        async with self._store.pipeline(transaction=True) as pipeline:
            pipeline.hset(key, "told", delivery.SerializeToString())
            pipeline.hsetnx(key, "open_ms", str(now_ms))
            pipeline.hdel(key, "close_ms", "announced")
            if delivery.HasField("announced"):
                pipeline.hset(key, "announced", str(delivery.announced))
            await pipeline.execute()
        await self.replicated()

    async def close(self, delivery: str, now_ms: int) -> None:
        """Close a delivery; the first time counts."""
        await self._store.hsetnx(self._delivery(delivery), "close_ms", str(now_ms))
        await self.replicated()

    async def events(self, delivery: str, after: int) -> list[LogEvent]:
        """Give the next events after a position: of a delivery, or of the tenant when that is "".

        As many as a few entries hold, at least one where there is one.
        """
        if not delivery:
            return await self._read(after + 1)
        index: Any = await self._store.xrange(
            f"{self._prefix}events:{delivery}", f"({after}-0", "+", _ENTRIES
        )
        positions = [int(p) for _, fields in index for p in fields[b"positions"].split()]
        wanted = iter(position for position in positions if position > after)
        events: list[LogEvent] = []
        position = next(wanted, None)
        while position is not None:
            found = {event.position: event for event in await self._read(position)}
            last = max(found)
            while position is not None and position <= last:
                events.append(found[position])
                position = next(wanted, None)
        return events

    async def _read(self, position: int) -> list[LogEvent]:
        """Read some events from a position on."""
        entries: Any = await self._store.xrange(self._prefix + "ledger", f"{position}-0", "+", _ENTRIES)
        events = [_event(name, event) for _, fields in entries for name, event in fields.items()]
        return [event for event in events if event.position >= position]

    async def page(self, delivery: str, after: int, count: int) -> list[tuple[int, LogEntry]]:
        """Give up to `count` (position of acceptance, row) pairs after a position."""
        members: Any = await self._store.zrange(
            f"{self._prefix}rows:{delivery}",
            f"({after}",
            "+inf",
            byscore=True,
            offset=0,
            num=count,
            withscores=True,
        )
        rows = await self.rows([(delivery, message.decode()) for message, _ in members])
        return [(int(score), row.entry) for (_, score), row in zip(members, rows, strict=True) if row.entry]

    async def failed(self, hour: int, after: int) -> list[FailedMessage]:
        """Give the next messages that failed in an hour of Unix time, after a position; none: no more."""
        key = f"{self._prefix}failed:{hour}"
        entries: Any = await self._store.xrange(key, f"({after}-0", "+", _FAILED_ENTRIES)
        found = []
        for _, fields in entries:
            for position, value in fields.items():
                domain, epoch, delivery, message = value.decode().rsplit(" ", 3)
                # A search that is resumed may begin within an entry.
                if int(position) > after:
                    found.append(FailedMessage(int(position), domain, int(epoch), delivery, message))
        return found

    async def found(self, places: Sequence[tuple[int, bytes]]) -> list[list[int]]:
        """Give the positions of the last messages that have a digest (finding.py) in a day of Unix time."""
        args: list[Value] = [_MOST_FOUND]
        for day, digest in places:
            bucket = int.from_bytes(digest[:_BUCKET_OCTETS], "big") % _BUCKETS
            args += [f"{day}:{bucket}", digest[_BUCKET_OCTETS:]]
        return list(await _find(self._store, [self._prefix], args))

    async def names_at(self, positions: Sequence[int]) -> list[tuple[str, str]]:
        """Give the (delivery, message) pairs of the events at some positions."""
        if not positions:
            return []
        async with self._store.pipeline(transaction=False) as pipeline:
            for position in positions:
                pipeline.xrange(self._prefix + "ledger", f"{position}-0", "+", 1)
            answers: Any = await pipeline.execute()
        names = []
        for position, ((_, fields),) in zip(positions, answers, strict=True):
            beginning = b"%d " % position
            event = next(event for name, event in fields.items() if name.startswith(beginning))
            outcome = LogEvent.FromString(event).outcome
            names.append((outcome.delivery_id, outcome.message_id))
        return names

    def _row(self, delivery: str, message: str) -> str:
        return f"{self._prefix}row:{delivery}\0{message}"

    def _delivery(self, delivery: str) -> str:
        return f"{self._prefix}delivery:{delivery}"


def _row(value: bytes | None) -> Row:
    if value is None:
        return Row("", 0, None)
    head, _, entry = value.partition(b"\n")
    version, _, sequence = head.partition(b" ")
    return Row(version.decode(), int(sequence), LogEntry.FromString(entry))


def _event(name: bytes, serialized: bytes) -> LogEvent:
    event = LogEvent.FromString(serialized)
    position, sent, accepted, announced = map(int, name.split())
    event.position = position
    event.delivery_sent = sent
    event.delivery_to_deliver = to_deliver({"announced": announced, "accepted": accepted})
    return event


def _indexed(change: Change) -> list[Value]:
    """Give the hour under which a failure is found ("": it is none), and what is kept of it."""
    if change.failed_ms is None:
        return ["", ""]
    entry = change.entry
    value = f"{change.domain} {entry.epoch} {entry.delivery_id} {entry.message_id}"
    return [change.failed_ms // HOUR_MS, value]


def _flat(counters: dict[str, int]) -> list[Any]:
    return [len(counters), *(part for item in counters.items() for part in item)]
