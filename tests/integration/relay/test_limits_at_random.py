"""Limits hold whatever happens: Relays come, work, lose answers, are cut off and die in any order."""

from __future__ import annotations

import asyncio
import random

import pytest
from redis.asyncio import Redis

from services.relay.holding import Holding
from services.relay.mx_rules import MxRule, Site
from services.relay.store.limits import Grant, LimitStore, Statement, capacity
from tests.integration.relay.test_limits import most_excess
from tests.support.clock import START_MS

LEASE_MS = 3_000
# As limits.py: a tenth before the lease ends, what is held counts as lost.
OURS_MS = 2_700
STEPS = 500


class Relay:
    """A Relay whose calls the test makes for it, one by one."""

    def __init__(self, name: str, site: Site, store: LimitStore) -> None:
        self.name = name
        self.holding = Holding(site)
        self.store = store
        self.sequence = 0
        self.cut_off_until_ms = 0
        self.late: list[tuple[int, Statement, int]] = []

    def state(self, now_ms: int) -> tuple[int, Statement, int]:
        self.sequence += 1
        return self.sequence, self.holding.statement(now_ms), now_ms

    async def call(self, sequence: int, statement: Statement, now_ms: int) -> Grant | None:
        (grant,) = await self.store.reserve(
            self.name, sequence, [statement], now_ms=now_ms, lease_end_ms=now_ms + LEASE_MS, turn_ms=1_000
        )
        return grant

    def open_connections(self, now_ms: int) -> int:
        """Those that may begin a transaction: none after the lease, and no more than are held."""
        holding = self.holding
        return min(holding.in_use, holding.held) if now_ms < holding.until_ms else 0


class World:
    """One site, its Relays and a clock; it knows every transaction that began."""

    def __init__(self, store: LimitStore, site: Site, chance: random.Random) -> None:
        self.store = store
        self.site = site
        self.chance = chance
        self.now_ms = START_MS
        self.relays: list[Relay] = []
        self.began: list[int] = []
        self.most_open = 0
        self._born = 0

    def add(self) -> None:
        self._born += 1
        self.relays.append(Relay(f"relay{self._born}", self.site, self.store))

    async def step(self) -> None:
        chance = self.chance.random()
        if chance < 0.04 and len(self.relays) < 6:
            self.add()
        elif chance < 0.07 and len(self.relays) > 1:
            # kill -9: its connections are gone, what it held is not.
            self.relays.remove(self.chance.choice(self.relays))
        elif chance < 0.1:
            self.chance.choice(self.relays).cut_off_until_ms = self.now_ms + self.chance.randrange(9_000)
        elif chance < 0.5:
            self.now_ms += self.chance.choice((1, 10, 100, 1_000))
        else:
            relay = self.chance.choice(self.relays)
            self.work(relay)
            if self.now_ms >= relay.cut_off_until_ms:
                await self.talk(relay)
            self.work(relay)
        self.check()

    async def talk(self, relay: Relay) -> None:
        """A call: it may come late, its answer may be lost, and work goes on while it is under way."""
        said = relay.state(self.now_ms)
        fate = self.chance.random()
        if fate < 0.05:
            relay.late.append(said)
            return
        if relay.late and fate < 0.1:
            await relay.call(*said)
            await relay.call(*relay.late.pop())
            return
        grant = await relay.call(*said)
        if fate > 0.9:
            return
        if fate > 0.7:
            self.now_ms += self.chance.randrange(100)
            self.work(relay)
        assert grant is not None
        relay.holding.grant(grant, self.now_ms, said[2] + OURS_MS)

    def work(self, relay: Relay) -> None:
        holding, chance = relay.holding, self.chance
        for _ in range(chance.randrange(4)):
            if holding.in_use and (holding.recall() or chance.random() < 0.3):
                holding.close(self.now_ms, recalled=holding.recalled > 0)
            elif not holding.open(self.now_ms) and len(holding.waiting) < 5:
                holding.waiting.append(asyncio.get_running_loop().create_future())
        if holding.waiting and chance.random() < 0.1:
            holding.waiting.popleft()
        for _ in range(chance.choice((0, 1, 5, 50))):
            if not holding.take(self.now_ms):
                holding.asked = True
                break
            if chance.random() < 0.05:
                holding.give_back(self.now_ms)
            else:
                self.began.append(self.now_ms)

    def check(self) -> None:
        now_open = sum(relay.open_connections(self.now_ms) for relay in self.relays)
        assert now_open <= self.site.rule.connections
        self.most_open = max(self.most_open, now_open)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize(("rate", "connections"), [(0.2, 1), (1.5, 3), (40.0, 7)])
async def test_no_limit_is_exceeded_in_any_window(
    store: Redis, rate: float, connections: int, seed: int
) -> None:
    site = Site("s", MxRule("s", ("*.s.example",), connections, 10, rate, "test"))
    world = World(LimitStore(store), site, random.Random(seed))
    world.add()

    for _ in range(STEPS):
        await world.step()

    seconds = (world.now_ms - START_MS) / 1000
    assert most_excess(world.began, rate, capacity(site.rule)) <= 1e-6
    assert world.most_open == connections
    # The limits were really worked against.
    assert len(world.began) >= 0.1 * rate * seconds


@pytest.mark.parametrize("seed", range(3))
async def test_what_the_dead_held_is_there_again_after_their_leases(store: Redis, seed: int) -> None:
    site = Site("s", MxRule("s", ("*.s.example",), 4, 10, 10.0, "test"))
    world = World(LimitStore(store), site, random.Random(seed))
    world.add()
    for _ in range(STEPS):
        await world.step()

    world.relays.clear()
    world.now_ms += LEASE_MS
    world.add()
    (heir,) = world.relays
    for _ in range(4):
        heir.holding.waiting.append(asyncio.get_running_loop().create_future())
    heir.holding.asked = True
    # The tokens of the dead are wasted: a second later there are new ones.
    world.now_ms += 1_000
    said = heir.state(world.now_ms)
    grant = await heir.call(*said)
    assert grant is not None
    heir.holding.grant(grant, world.now_ms, said[2] + OURS_MS)

    assert heir.holding.in_use == 4
    assert heir.holding.take(world.now_ms)
