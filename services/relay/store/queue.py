"""The durable queue: what is due is claimed on a lease, and every lease ends in a settlement."""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from redis.asyncio import Redis
from redis.exceptions import RedisError

from emta.feedback.v1.feedback_service_pb2 import RecordOutcomesItem
from services.chassis.logs import Log
from services.chassis.settings import NO_ACKS, Acks
from services.chassis.store import Script, Value, is_cluster, replicated
from services.relay.store import record
from services.relay.store.bodies import Bodies, BodyError
from services.relay.store.keys import by_shard, prefix
from services.relay.store.outbox import framed
from services.relay.store.record import Claimed
from services.relay.store.silence import Silence

_log = Log("relay")

# Older ones have run out: a lease is longer than so many claims of a store that does not answer.
_LOST_CLAIMS = 64

_claim = Script("services.relay.store", "claim")
_settle = Script("services.relay.store", "settle")
_renew = Script("services.relay.store", "renew")


class Settlement(NamedTuple):
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


class _LostClaim(NamedTuple):
    """A claim whose answer has not come: its fence, the end of its leases, and (a lease later) its own."""

    fence: str
    leased_until_ms: int
    forgotten_ms: int


class Queue:
    """The queue of one store. With `acks`, what is settled waits for replicas."""

    def __init__(self, store: Redis, bodies: Bodies, *, acks: Acks = NO_ACKS) -> None:
        self._store = store
        self._acks = acks
        self._bodies = bodies
        self._holder = secrets.token_hex(8)
        self._claims = 0
        # By shard: claims whose answers have not come, and which may still be carried out.
        self._lost: dict[int, deque[_LostClaim]] = {}
        self._suspected: set[int] = set()  # shards that had one more suspect to give
        self._silence = Silence()

    def unit(self, shard: int) -> int:
        """What a shard stands or falls with: alone on a Cluster, with all others on one server."""
        return shard if is_cluster(self._store) else 0

    async def replicated(self, shards: Sequence[int]) -> list[int]:
        """Give those of some shards of which enough replicas have what was written. Raises RedisError when
        there are none: ReplicasMissing."""
        if not self._acks.replicas:
            return list(shards)
        asked = {self.unit(shard): shard for shard in self._silence.others(shards)}
        waiting = (replicated(self._store, [prefix(shard)], self._acks) for shard in asked.values())
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        self._silence.note(asked.values(), answers)
        good = {unit for unit, answer in zip(asked, answers, strict=True) if answer is None}
        for answer in answers:
            if isinstance(answer, BaseException) and (not good or not isinstance(answer, RedisError)):
                raise answer
        return [shard for shard in shards if self.unit(shard) in good]

    async def claim(
        self, shards: Sequence[int], now_ms: int, leased_until_ms: int, appetite: Appetite
    ) -> Claim:
        """Lease messages of some shards that are due; each gives its part of what is wanted."""
        shards = self._silence.others(shards)
        if not shards:
            return Claim([], None)
        self._claims += 1
        fence = f"{self._holder}.{self._claims}"
        this = _LostClaim(fence, leased_until_ms, 2 * leased_until_ms - now_ms)
        # One shard only may give a suspect: of two at once nobody knows which one kills.
        asked = next((shard for shard in shards if shard in self._suspected), shards[0])
        calls: list[tuple[str, list[Value]]] = []
        for shard in shards:
            lost = self._lost.setdefault(shard, deque(maxlen=_LOST_CLAIMS))
            while lost and lost[0].forgotten_ms <= now_ms:
                lost.popleft()
            wanted = _wanted(
                appetite, len(shards), fence, lost, suspect=appetite.suspect and shard == asked
            )
            calls.append((prefix(shard), [now_ms, leased_until_ms, *wanted]))
            lost.append(this)  # until its answer is here
        answers = await _claim.each(self._store, calls, give_errors=True)
        self._silence.note(shards, answers)
        messages, looks, answered = [], [], []
        for shard, answer in zip(shards, answers, strict=True):
            if isinstance(answer, RedisError):
                # What the others gave is leased to us and must not be dropped.
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
            self._lost[shard].remove(this)
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
        key = f"{prefix(shard)}dictionary:".encode() + dictionary
        content: Any = await self._store.hget(key, "content")
        if content:
            self._bodies.learn(content)

    async def renew(self, claimed: Sequence[Claimed], leased_until_ms: int) -> list[Claimed]:
        """Prolong leases, but those of shards that do not answer; gives those that are another's by now."""
        calls: list[tuple[str, list[Value]]] = []
        positions = by_shard(message.shard for message in claimed)
        for shard, numbers in positions.items():
            args: list[Value] = [leased_until_ms]
            for number in numbers:
                args += [claimed[number].number, claimed[number].fence]
            calls.append((prefix(shard), args))
        lost = []
        answers = await _renew.each(self._store, calls, give_errors=True)
        self._silence.note(positions, answers)
        for numbers, answer in zip(positions.values(), answers, strict=True):
            if isinstance(answer, RedisError):
                continue
            for number, is_ours in zip(numbers, answer, strict=True):
                if is_ours:
                    claimed[number].leased_until_ms = leased_until_ms
                else:
                    lost.append(claimed[number])
        return lost

    async def settle(self, settlements: Sequence[Settlement]) -> list[bool | None]:
        """End leases; gives per message whether the lease was still ours; None: its shard did not answer,
        and nobody knows. Safe to repeat.

        Raises RedisError, ReplicasMissing: the leases have ended, perhaps.
        """
        positions = by_shard(settlement.claimed.shard for settlement in settlements)
        calls = [
            (prefix(shard), [arg for number in numbers for arg in _end(settlements[number])])
            for shard, numbers in positions.items()
        ]
        ours: list[bool | None] = [None] * len(settlements)
        answers = await _settle.each(self._store, calls, self._acks, give_errors=True)
        self._silence.note(positions, answers)
        for numbers, answer in zip(positions.values(), answers, strict=True):
            if isinstance(answer, RedisError):
                continue
            for number, was_ours in zip(numbers, answer, strict=True):
                ours[number] = bool(was_ours)
        return ours


def _wanted(
    appetite: Appetite, shards: int, fence: str, lost: Iterable[_LostClaim], *, suspect: bool
) -> list[Value]:
    """What each of some shards is asked for: its part, and of everything at least one."""
    args: list[Value] = [
        -(-appetite.messages // shards),
        -(-appetite.octets // shards),
        max(1, appetite.of_a_domain // shards),
        int(suspect),
        fence,
        " ".join(f"{each.fence} {each.leased_until_ms}" for each in lost),
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
        framed(settlement.outcomes),
    ]
