"""What the outage guard keeps. All of it in one slot, so that a batch is one call:

    bounce:{guard}:known:<generation>:<bucket>  set of 30-bit numbers: who was accepted within 60 days
    bounce:{guard}:sites                        sorted set: sites by when they were last used (ms)
    bounce:{guard}:site:<name>                  hash of a site: see below
    bounce:{guard}:stretch:<name>               hash: addresses and domains refused in the site's stretch
    bounce:{guard}:samples:<name>               set of IncidentSamples of the stretch
    bounce:{guard}:incident:<id>                an Incident
    bounce:{guard}:incidents, bounce:{guard}:open   sorted sets: incidents by when they were opened (ms)

Of a site, accepted, told (accepted with a key), usual_accepted, usual_hard and domain:<tag> (the largest)
are the history, decayed at `decayed` (ms); begun, stretch_accepted, stretch_hard, stretch:<reason> and
unknown_hard the stretch; open, held, term_*, slot_* and before_* the open incident. None is opened
until `believed` (ms).

Small sets of small numbers are arrays of 4 octets a number to the store, up to 512 numbers: 262,144 buckets
take 130 million addresses a generation so. Such a number is all that is left of an address: 48 bits of its
key, in part as the bucket.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, cast

from redis.asyncio import Redis

from emta.bounce.v1.incident_service_pb2 import Incident, IncidentSample, KnownAddresses
from emta.bounce.v1.qualification_pb2 import FailureReason
from services.bounce.guard.outage import Counts, Evidence, Watched
from services.chassis.store import Script, Value

_PREFIX = "bounce:{guard}:"
# Remembered for 60 to 120 days: longer than a monthly newsletter needs, shorter than providers need to
# delete accounts that nobody uses.
_GENERATION_MS = 60 * 86_400_000
_SLOT_MS = 1_800_000  # as in answered.lua
_KEPT_INCIDENTS = 1_000
# So many addresses block the store for two to five milliseconds.
_ADDRESSES_A_RUN = 250
_DOMAINS_A_RUN = 4

_answered = Script("services.bounce.store", "answered")
_opened = Script("services.bounce.store", "opened")
_changed = Script("services.bounce.store", "changed")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal for good. `sample`: an encoded IncidentSample."""

    key: int
    reason: FailureReason
    sample: bytes


@dataclass(slots=True)
class Answers:
    """What a site answered: recipient keys of who was accepted and of who was not refused for good.

    `untold`: accepted ones without a key.
    """

    accepted: list[int] = field(default_factory=list)
    untold: int = 0
    others: list[int] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class SiteState:
    """A site after its answers were counted. `incident_id` empty: no incident is open there."""

    incident_id: str
    believed_until_ms: int
    evidence: Evidence
    begun_ms: int
    unknown_hard: int


class GuardStore:
    """The memory and the incidents of one store."""

    def __init__(self, store: Redis) -> None:
        self._store = store

    async def count(self, answers: dict[str, Answers], now_ms: int) -> dict[str, SiteState]:
        """Count what sites answered; gives how they stand then."""
        head: list[Value] = [now_ms, now_ms // _GENERATION_MS, 2 * _GENERATION_MS]
        runs = [(_PREFIX, head + args) for args in _arguments(answers)]
        names = [args[3] for _, args in runs]
        states = [_state(told) for (told,) in await _answered.each(self._store, runs)]
        # A site's last run is how it stands.
        return dict(zip(names, states, strict=True))  # type: ignore[arg-type]

    async def open(self, incident: Incident, now_ms: int) -> str:
        """Open an incident; gives the one that is open at the site then, "" where there may be none."""
        args: list[Value] = [incident.site, incident.incident_id, now_ms, incident.held]
        told: Any = await _opened(self._store, [_PREFIX], [*args, _stored(incident), _KEPT_INCIDENTS])
        return str(told.decode())

    async def change(self, incident: Incident, believed_until_ms: int = 0) -> bool:
        """Write an incident as extended or, if it has a close time, closed; False: it was closed before."""
        closed = int(incident.HasField("close_time"))
        stored = incident.SerializeToString() if closed else _stored(incident)
        args: list[Value] = [incident.site, incident.incident_id, stored, closed, believed_until_ms]
        return bool(await _changed(self._store, [_PREFIX], args))

    async def samples(self, site: str) -> list[IncidentSample]:
        """Give the samples of a site's stretch, in order."""
        found: Any = await self._store.smembers(f"{_PREFIX}samples:{site}")
        return [IncidentSample.FromString(sample) for sample in sorted(found)]

    async def open_ids(self) -> list[str]:
        """Give the open incidents, the latest first."""
        found: Any = await self._store.zrange(f"{_PREFIX}open", 0, -1, desc=True)
        return [name.decode() for name in found]

    async def ids(self, skip: int, count: int) -> list[str]:
        """Give up to `count` incidents, the latest first, after the latest `skip`."""
        found: Any = await self._store.zrange(f"{_PREFIX}incidents", skip, skip + count - 1, desc=True)
        return [name.decode() for name in found]

    async def incidents(self, ids: Sequence[str], now_ms: int) -> list[tuple[Incident, Watched | None]]:
        """Give incidents as they stand now, those that are open with what they are judged by."""
        if not ids:
            return []
        stored: Any = await self._store.mget([f"{_PREFIX}incident:{name}" for name in ids])
        found = [Incident.FromString(each) for each in stored if each is not None]
        async with self._store.pipeline(transaction=False) as pipeline:
            for incident in found:
                pipeline.hgetall(f"{_PREFIX}site:{incident.site}")
            sites = await pipeline.execute()
        return [_standing(incident, site, now_ms) for incident, site in zip(found, sites, strict=True)]


def counts(known: KnownAddresses) -> Counts:
    """Read counts."""
    return Counts(known.accepted, known.hard)


def known_addresses(seen: Counts) -> KnownAddresses:
    """Write counts."""
    return KnownAddresses(accepted=seen.accepted, hard=seen.hard)


def _arguments(answers: dict[str, Answers]) -> Iterator[list[Value]]:
    """Give the arguments of runs: many sites are many runs, a site with many answers, too."""
    for site, told in answers.items():
        accepted, others, refusals = iter(told.accepted), iter(told.others), iter(told.refusals)
        untold, left = told.untold, True
        while left:
            args: list[Value] = [site, untold]
            untold, room = 0, _ADDRESSES_A_RUN
            some = list(islice(accepted, room))
            domains = Counter(key >> 48 for key in some).most_common(_DOMAINS_A_RUN)
            args.append(len(domains))
            for tag, count in domains:
                args += (tag, count)
            args.append(len(some))
            for key in some:
                args += _place(key)
            room -= len(some)
            rest = list(islice(others, room))
            args.append(len(rest))
            for key in rest:
                args += _place(key)
            refused = list(islice(refusals, room - len(rest)))
            args.append(len(refused))
            for refusal in refused:
                args += (*_place(refusal.key), refusal.key >> 48, int(refusal.reason), refusal.sample)
            left = len(some) + len(rest) + len(refused) == _ADDRESSES_A_RUN
            yield args


def _place(key: int) -> tuple[int, int]:
    """Give bucket and fingerprint of a recipient key: its lower 48 bits."""
    return key >> 30 & 0x3FFFF, key & 0x3FFFFFFF


def _state(told: list[Any]) -> SiteState:
    open_id, believed, lately, accepted, hard, begun, s_accepted, s_hard, unknown, by_reason = told
    pairs = (pair.split(b":") for pair in by_reason.split())
    return SiteState(
        incident_id=open_id.decode(),
        believed_until_ms=int(believed),
        evidence=Evidence(
            usual=Counts(accepted, hard),
            accepted_lately=lately,
            stretch=Counts(s_accepted, s_hard),
            by_reason={_reason(reason): int(count) for reason, count in pairs},
        ),
        begun_ms=begun,
        unknown_hard=unknown,
    )


def _reason(number: bytes) -> FailureReason:
    return cast("FailureReason", int(number))


def _stored(incident: Incident) -> bytes:
    """Encode an open incident without what changes with every answer: that is the site's."""
    own = Incident()
    own.CopyFrom(incident)
    own.ClearField("latest")
    own.ClearField("held")
    return own.SerializeToString()


def _standing(incident: Incident, site: dict[bytes, bytes], now_ms: int) -> tuple[Incident, Watched | None]:
    if incident.HasField("close_time"):
        return incident, None
    if site.get(b"open") == incident.incident_id.encode():
        number = {name.decode(): int(value) for name, value in site.items() if value.isdigit()}
    else:
        number = {}  # the site was forgotten
    latest = _latest(number, now_ms)
    incident.held = number.get("held", 0)
    incident.latest.CopyFrom(known_addresses(latest))
    return incident, Watched(
        usual=counts(incident.usual),
        opening=counts(incident.opening),
        latest=latest,
        term=Counts(number.get("term_accepted", 0), number.get("term_hard", 0)),
        until_ms=incident.hold_until_time.ToMilliseconds(),
        latest_end_ms=incident.latest_end_time.ToMilliseconds(),
    )


def _latest(number: dict[str, int], now_ms: int) -> Counts:
    """Add up the slots of this half hour and the one before."""
    slot, this = number.get("slot", 0), now_ms - now_ms % _SLOT_MS
    accepted, hard = number.get("slot_accepted", 0), number.get("slot_hard", 0)
    if slot == this:
        return Counts(accepted + number.get("before_accepted", 0), hard + number.get("before_hard", 0))
    return Counts(accepted, hard) if slot == this - _SLOT_MS else Counts(0, 0)
