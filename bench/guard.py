"""`python -m bench guard`: how often does the outage guard err, what does an outage cost, what is kept?

Simulated mail, counted by the real scripts in a real store and judged as Bounce does; the same each time.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from dataclasses import dataclass
from itertools import count
from math import log
from pathlib import Path

from redis.asyncio import Redis

from bench import report
from emta.bounce.v1.incident_service_pb2 import IncidentSample
from emta.bounce.v1.qualification_pb2 import FailureReason
from services.bounce.guard import outage
from services.bounce.store.guard import Answers, GuardStore, Refusal
from services.chassis.embedded_store import EmbeddedStore
from services.chassis.store import connect

_SEED = 20_201_214
_USER_UNKNOWN = FailureReason.FAILURE_REASON_USER_UNKNOWN
_SAMPLE = IncidentSample(normalized_text="550 5.1.1 unknown").SerializeToString()
_START_MS, _HOUR_MS = 1_600_000_000_000, 3_600_000
# Deliveries differ in how many of their addresses are gone: messages of one, and the scatter of their
# shares as a Beta distribution of so many addresses.
_DELIVERY, _SCATTER = 1_000, 100.0
_HISTORY = 1_000
_MOST_LOST = 1_000


@dataclass(frozen=True)
class Usual:
    """Sites as they usually are: the share of known addresses that is gone, by delivery or everywhere."""

    name: str
    share: float
    differs: bool


_USUALS = (
    Usual("0.3 %, at random", 0.003, False),
    Usual("0.3 %, differing by delivery", 0.003, True),
    Usual("1 %, differing by delivery", 0.01, True),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("--sites", type=int, default=1_000, help="sites (default: 1,000)")
    parser.add_argument("--days", type=int, default=30, help="days (default: 30)")
    parser.add_argument("--addresses", type=int, default=1_000_000, help="to remember (default: a million)")


async def run(arguments: argparse.Namespace) -> int:
    """Measure; gives the exit code."""
    figures: dict[str, object] = {"false_incidents": {}, "lost": {}, "octets_per_address": {}}
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        async with EmbeddedStore(Path(folder)) as embedded, connect(embedded.url, 60.0) as store:
            # What is simulated is not worth a disk's time.
            await store.config_set("appendfsync", "no")
            figures["octets_per_address"] = await _memory(store, arguments.addresses)
            figures["lost"] = await _outages(store)
            figures["false_incidents"] = await usual_days(store, arguments.sites, arguments.days)
    report.write("guard", figures)
    return 0


async def usual_days(store: Redis, sites: int, days: int) -> dict[str, int]:
    """Count incidents where nothing happened: 200 messages an hour and site, all to known addresses."""
    found = {}
    for usual in _USUALS:
        await store.flushall()
        judge, draws = Judge(GuardStore(store)), random.Random(_SEED)
        streams = [_Stream(usual, draws) for _ in range(sites)]
        messages, refusals, incidents = 200 * 24 * days, 0, 0
        while streams:
            batch = {f"s{stream.number}": stream.next() for stream in streams}
            sent = streams[0].sent
            refusals += len(batch)
            incidents += await judge.incidents(batch, _START_MS + sent * _HOUR_MS // 200)
            streams = [stream for stream in streams if stream.sent < messages]
        found[usual.name] = incidents
        report.say(f"  {usual.name:<30}[bold]{incidents}[/] false incidents, {refusals:,} refusals")
    return found


async def _outages(store: Redis) -> dict[str, float]:
    """Give the mean number of refusals that are not held, in an outage after a usual week."""
    lost: dict[str, float] = {}
    for share in (0.15, 0.3, 0.6, 1.0):
        for an_hour in (20, 200, 20_000):
            await store.flushall()
            judge, draws = Judge(GuardStore(store)), random.Random(_SEED)
            counts = [await one_outage(judge, draws, f"s{n}", share, an_hour) for n in range(100)]
            name = f"{share:.0%} refused, {an_hour:,} an hour"
            lost[name] = sum(counts) / len(counts)
            report.say(f"  {name:<30}[bold]{lost[name]:.1f}[/] lost, at most {max(counts)}")
    return lost


async def one_outage(judge: Judge, draws: random.Random, site: str, share: float, an_hour: int) -> int:
    """Refusals before the incident is opened; the one that opens it is held."""
    now_ms = _START_MS
    await judge.incidents({site: Answers(untold=_HISTORY)}, now_ms)
    for lost in range(_MOST_LOST):
        accepted = _gap(draws, share)
        now_ms += (accepted + 1) * _HOUR_MS // an_hour
        if await judge.incidents({site: _refused(accepted)}, now_ms):
            return lost
    return _MOST_LOST


async def _memory(store: Redis, addresses: int) -> dict[str, float]:
    """Give what an address takes in the store."""
    guard, draws = GuardStore(store), random.Random(_SEED)
    empty = (await store.info("memory"))["used_memory"]
    for start in range(0, addresses, 10_000):
        keys = [draws.getrandbits(64) for _ in range(min(10_000, addresses - start))]
        await guard.count({"s": Answers(accepted=keys)}, _START_MS)
    octets = ((await store.info("memory"))["used_memory"] - empty) / addresses
    report.say(f"  [bold]{octets:.1f}[/] octets for each of {addresses:,} addresses")
    return {f"{addresses:,}": round(octets, 1)}


class Judge:
    """Counts answers and judges them, as Guard does; a site with an incident is left alone."""

    def __init__(self, guard: GuardStore) -> None:
        self._guard = guard

    async def incidents(self, answers: dict[str, Answers], now_ms: int) -> int:
        """How many sites would have an incident opened."""
        states = await self._guard.count(answers, now_ms)
        return sum(bool(outage.suspicious(state.evidence)) for state in states.values())


_names = count()


def _refused(accepted: int) -> Answers:
    """So many acceptances and then the refusal of a known address."""
    key = next(_names)
    return Answers(accepted=[key], untold=accepted, refusals=[Refusal(key, _USER_UNKNOWN, _SAMPLE)])


class _Stream:
    """The mail of a site, from refusal to refusal."""

    def __init__(self, usual: Usual, draws: random.Random) -> None:
        self.number = next(_names)
        self.sent = 0
        self._usual = usual
        self._draws = draws
        self._share, self._left = usual.share, 0

    def next(self) -> Answers:
        """Everything up to the next refusal."""
        accepted = 0
        while True:
            if self._left <= 0:
                self._left = _DELIVERY
                self._share = self._usual.share
                if self._usual.differs:
                    mean = self._usual.share
                    self._share = self._draws.betavariate(mean * _SCATTER, (1 - mean) * _SCATTER)
            gap = _gap(self._draws, self._share)
            if gap < self._left:
                self._left -= gap + 1
                self.sent += gap + 1
                return _refused(accepted + gap)
            accepted += self._left
            self.sent += self._left
            self._left = 0


def _gap(draws: random.Random, share: float) -> int:
    """Acceptances before the next refusal, at this share."""
    if share <= 1e-9:
        return _DELIVERY
    return int(log(1 - draws.random()) / log(1 - share)) if share < 1 else 0
