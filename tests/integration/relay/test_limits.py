"""Limits of sites on a real store: several Relays that come and go, and a clock that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from pathlib import Path

import pytest
from redis.asyncio import Redis

from services.chassis import store as stores
from services.relay.limits import Limits, Slot
from services.relay.mx_rules import MxRules, Site
from services.relay.store.limits import LimitStore, SiteUse
from tests.support.clock import ManualClock
from tests.support.eventually import eventually

LEASE_SECONDS = 30.0

RULES = MxRules.parse(
    [
        (
            "test.toml",
            b"""
            [default]
            connections = 3
            messages_per_connection = 10

            [[rule]]
            name = "fast"
            mx = ["*.fast.example"]
            rate = "100/s"

            [[rule]]
            name = "slow"
            mx = ["*.slow.example"]
            rate = "0.2/s"
            """,
        )
    ]
)
SITE = RULES.site("mx.site.example")
FAST = RULES.site("mx.fast.example")
SLOW = RULES.site("mx.slow.example")


class Fleet:
    """Relays on one store."""

    def __init__(self, store: Redis, clock: ManualClock) -> None:
        self.store = LimitStore(store)
        self.clock = clock
        self._running: dict[Limits, asyncio.Task[None]] = {}

    def add(self, store: LimitStore | None = None) -> Limits:
        limits = Limits(store or self.store, self.clock, RULES, "relay", LEASE_SECONDS)
        self._running[limits] = asyncio.create_task(limits.run())
        return limits

    async def kill(self, limits: Limits) -> None:
        task = self._running.pop(limits)
        # The store client can swallow a cancellation: see services.chassis.background.
        while not task.done():
            task.cancel()
            await asyncio.wait((task,), timeout=1)

    async def stop(self, limits: Limits) -> None:
        await self.kill(limits)
        await limits.close()

    async def end(self) -> None:
        for limits in list(self._running):
            await self.kill(limits)

    async def use(self, site: Site = SITE) -> SiteUse:
        (use,) = await self.store.use([(site.name, site.rule)], self.clock.now_ms())
        return use

    async def until(self, condition: Callable[[], bool], seconds: float = 0.25) -> float:
        """Move the clock in steps until something holds; gives how long that took, seconds."""
        began = self.clock.now_ms()

        async def holds() -> bool:
            if condition():
                return True
            self.clock.advance(seconds)
            return False

        await eventually(holds)
        return (self.clock.now_ms() - began) / 1000


class Gateway:
    """The way of one Relay to the store, which can be closed for a while."""

    def __init__(self, store_path: str, path: Path) -> None:
        self.url = f"unix://{path}"
        self._store_path = store_path
        self._path = path
        self._through: set[asyncio.StreamWriter] = set()

    async def open(self) -> None:
        self._server = await asyncio.start_unix_server(self._serve, self._path)

    async def close(self) -> None:
        self._server.close()
        self._path.unlink(missing_ok=True)
        for writer in self._through:
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        store_reader, store_writer = await asyncio.open_unix_connection(self._store_path)
        self._through |= {writer, store_writer}
        await asyncio.gather(_copy(reader, store_writer), _copy(store_reader, writer))
        self._through -= {writer, store_writer}


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
    writer.close()


@asynccontextmanager
async def gateway(store_url: str, folder: Path) -> AsyncIterator[Gateway]:
    way = Gateway(store_url.removeprefix("unix://"), folder / "way")
    await way.open()
    yield way
    await way.close()


@pytest.fixture
async def fleet(store: Redis, clock: ManualClock) -> AsyncIterator[Fleet]:
    fleet = Fleet(store, clock)
    yield fleet
    await fleet.end()


async def acquired(limits: Limits, count: int, site: Site = SITE) -> list[Slot]:
    return [await asyncio.wait_for(limits.acquire(site), 10) for _ in range(count)]


async def test_connections_of_all_relays_together_stay_within_the_limit(fleet: Fleet) -> None:
    one, two = fleet.add(), fleet.add()
    await acquired(one, 2)
    await acquired(two, 1)

    waiting = asyncio.create_task(two.acquire(SITE))
    end_ms = fleet.clock.now_ms() + 60_000
    await fleet.until(lambda: fleet.clock.now_ms() >= end_ms, seconds=1)

    assert not waiting.done()
    assert (await fleet.use()).connections == 3
    waiting.cancel()


async def test_a_connection_given_back_goes_to_the_relay_that_waits(fleet: Fleet) -> None:
    one, two = fleet.add(), fleet.add()
    first, *_ = await acquired(one, 2)
    await acquired(two, 1)
    waiting = asyncio.create_task(two.acquire(SITE))
    await asyncio.sleep(0)

    first.release()
    await fleet.until(waiting.done)

    assert waiting.result().valid(fleet.clock.now_ms())
    assert (await fleet.use()).connections == 3


async def test_connections_of_a_killed_relay_come_back_when_its_lease_ends_and_not_before(
    fleet: Fleet,
) -> None:
    killed, survivor = fleet.add(), fleet.add()
    await acquired(killed, 3)
    await fleet.kill(killed)

    waiting = asyncio.create_task(survivor.acquire(SITE))
    seconds = await fleet.until(waiting.done)

    assert LEASE_SECONDS - 1 <= seconds <= LEASE_SECONDS + 5


async def test_a_relay_that_stops_gives_back_at_once(fleet: Fleet) -> None:
    leaving = fleet.add()
    await acquired(leaving, 3)

    await fleet.stop(leaving)

    assert (await fleet.use()).connections == 0
    assert await acquired(fleet.add(), 3)


async def test_leases_are_renewed_while_the_relay_lives(fleet: Fleet) -> None:
    limits = fleet.add()
    (slot,) = await acquired(limits, 1)
    for _ in range(20):
        fleet.clock.advance(LEASE_SECONDS / 3)

        async def renewed() -> bool:
            return slot.valid(fleet.clock.now_ms() + round(LEASE_SECONDS * 600))

        await eventually(renewed)

    assert (await fleet.use()).connections == 1


async def test_a_connection_opened_again_within_a_moment_asks_nobody(fleet: Fleet, store: Redis) -> None:
    limits = fleet.add()
    (slot,) = await acquired(limits, 1)
    slot.release()
    before = await calls(store)

    again = limits.try_acquire(SITE)

    assert again is not None
    assert await calls(store) == before


async def test_what_is_not_used_is_given_back_and_forgotten(fleet: Fleet, store: Redis) -> None:
    limits = fleet.add()
    (slot,) = await acquired(limits, 1)
    slot.release()

    async def given_back() -> bool:
        fleet.clock.advance(0.5)
        return not await store.exists("relay:{limits}:site:mx.site.example") and not limits._holdings

    await eventually(given_back)


async def test_relays_share_a_site_fairly_when_one_comes_late(fleet: Fleet) -> None:
    early, late = fleet.add(), fleet.add()
    slots = await acquired(early, 3)
    more = [asyncio.create_task(early.acquire(SITE)) for _ in range(3)]
    waiting = [asyncio.create_task(late.acquire(SITE)) for _ in range(3)]

    def closes_what_it_must() -> bool:
        for slot in slots:
            if not slot.valid(fleet.clock.now_ms()):
                slot.release()
        return any(task.done() for task in waiting)

    await fleet.until(closes_what_it_must)

    assert 1 <= sum(slot.valid(fleet.clock.now_ms()) for slot in slots) <= 2
    assert (await fleet.use()).connections == 3
    for task in (*more, *waiting):
        task.cancel()


async def test_where_there_are_more_relays_than_connections_each_gets_its_turn(fleet: Fleet) -> None:
    relays = [fleet.add() for _ in range(5)]
    turns = dict.fromkeys(relays, 0)
    open_now: set[Limits] = set()

    async def works(limits: Limits) -> None:
        while True:
            slot = await limits.acquire(SITE)
            open_now.add(limits)
            assert len(open_now) <= 3
            turns[limits] += 1
            while slot.valid(fleet.clock.now_ms()):
                await fleet.clock.sleep_until(fleet.clock.now_ms() + 100)
            open_now.discard(limits)
            slot.release()

    working = [asyncio.create_task(works(limits)) for limits in relays]
    await fleet.until(lambda: all(count >= 2 for count in turns.values()), seconds=0.5)

    assert not any(task.done() for task in working)
    for task in working:
        task.cancel()


async def test_a_rate_below_one_per_second_is_kept_by_all_relays_together(fleet: Fleet) -> None:
    relays = [fleet.add() for _ in range(3)]
    began: list[int] = []
    mine: dict[Limits, int] = dict.fromkeys(relays, 0)

    async def sends(limits: Limits) -> None:
        while True:
            await limits.token(SLOW)
            began.append(fleet.clock.now_ms())
            mine[limits] += 1

    sending = [asyncio.create_task(sends(limits)) for limits in relays]
    await fleet.until(lambda: len(began) >= 10, seconds=0.2)
    for task in sending:
        task.cancel()

    gaps = [later - earlier for earlier, later in pairwise(began)]
    assert min(gaps) >= 5_000
    assert sum(gaps) <= 9 * 6_000
    assert min(mine.values()) >= 2


async def test_a_fast_rate_is_used_and_not_exceeded(fleet: Fleet, store: Redis) -> None:
    relays = [fleet.add() for _ in range(2)]
    began: list[int] = []

    async def sends(limits: Limits) -> None:
        while True:
            await limits.token(FAST)
            began.append(fleet.clock.now_ms())

    sending = [asyncio.create_task(sends(limits)) for limits in relays]
    before = await calls(store)
    seconds = await fleet.until(lambda: len(began) >= 500, seconds=0.02)
    for task in sending:
        task.cancel()

    # The bucket is full when it begins: a second's worth.
    assert 100 * seconds >= 0.85 * (len(began) - 100)
    assert seconds <= 1.25 * (len(began) - 100) / 100
    assert most_excess(began, 100, 100) <= 0
    assert (await calls(store)) - before < len(began) / 2


async def test_a_site_without_rate_or_binding_limit_costs_no_call_per_message(
    fleet: Fleet, store: Redis
) -> None:
    limits = fleet.add()
    (slot,) = await acquired(limits, 1)
    before = await calls(store)

    for _ in range(1_000):
        assert slot.valid(fleet.clock.now_ms())
        assert limits.take(SITE)
        await asyncio.sleep(0)

    assert await calls(store) == before


async def test_many_sites_are_asked_for_in_few_calls(fleet: Fleet, store: Redis) -> None:
    limits = fleet.add()
    sites = [RULES.site(f"mx{number}.example") for number in range(1_000)]
    before = await calls(store)

    slots = await asyncio.gather(*(limits.acquire(site) for site in sites))

    assert all(slot.valid(fleet.clock.now_ms()) for slot in slots)
    assert (await calls(store)) - before <= 20


async def test_a_token_taken_and_not_used_is_there_again(fleet: Fleet) -> None:
    limits = fleet.add()
    await limits.token(SLOW)

    limits.give_back(SLOW)

    await limits.token(SLOW)
    assert not limits.take(SLOW)
    assert (await fleet.use(SLOW)).tokens == 0


async def test_ready_ms_says_when_the_next_token_comes(fleet: Fleet) -> None:
    limits = fleet.add()
    await limits.token(SLOW)
    assert not limits.take(SLOW)

    async def known() -> bool:
        return limits.ready_ms(SLOW) > fleet.clock.now_ms()

    await eventually(known)
    assert limits.ready_ms(SLOW) == fleet.clock.now_ms() + 5_000


async def test_those_who_give_up_leave_nothing_behind(fleet: Fleet, store: Redis) -> None:
    one, two = fleet.add(), fleet.add()
    slots = await acquired(one, 3)
    asking = [asyncio.create_task(two.acquire(SITE)) for _ in range(3)]
    await asyncio.sleep(0)
    for task in asking:
        task.cancel()
    for slot in slots:
        slot.release()

    async def nothing_left() -> bool:
        fleet.clock.advance(0.5)
        return not await store.exists("relay:{limits}:site:mx.site.example")

    await eventually(nothing_left)


async def test_while_the_store_is_away_nothing_is_granted_and_leases_end(
    fleet: Fleet, store_url: str, tmp_path: Path
) -> None:
    async with gateway(store_url, tmp_path) as way, stores.connect(way.url, 5.0) as client:
        cut_off = fleet.add(LimitStore(client))
        slots = await acquired(cut_off, 2)
        await cut_off.token(FAST)
        await way.close()

        waiting = asyncio.create_task(cut_off.acquire(SITE))
        await fleet.until(lambda: not any(slot.valid(fleet.clock.now_ms()) for slot in slots))
        ended_ms = fleet.clock.now_ms()
        others = await acquired(fleet.add(), 1)
        rest = asyncio.create_task(fleet.add().acquire(SITE))
        await fleet.until(rest.done)

        assert not waiting.done()
        assert not cut_off.take(FAST)
        assert others[0].valid(ended_ms)
        waiting.cancel()
        await fleet.kill(cut_off)


async def test_connections_go_on_when_the_store_comes_back_in_time_or_nobody_took_them(
    fleet: Fleet, store_url: str, tmp_path: Path
) -> None:
    async with gateway(store_url, tmp_path) as way, stores.connect(way.url, 5.0) as client:
        limits = fleet.add(LimitStore(client))
        (slot,) = await acquired(limits, 1)
        await way.close()
        await fleet.until(lambda: not slot.valid(fleet.clock.now_ms()))

        await way.open()
        await fleet.until(lambda: slot.valid(fleet.clock.now_ms()))

        assert (await fleet.use()).connections == 1
        await fleet.kill(limits)


def most_excess(began: list[int], per_second: float, capacity: float) -> float:
    """By how much the worst window of all exceeds rate x window + capacity; negative: it does not."""
    excess, level, last = -capacity, capacity, began[0]
    for at in began:
        level = min(capacity, level + (at - last) / 1000 * per_second) - 1
        last = at
        excess = max(excess, -level)
    return excess


async def calls(store: Redis) -> int:
    info = await store.info("commandstats")
    return sum(
        figures["calls"] for name, figures in info.items() if name in ("cmdstat_evalsha", "cmdstat_eval")
    )


async def test_a_cluster_keeps_limits_as_a_single_store_does(cluster_url: str, clock: ManualClock) -> None:
    async with stores.connect(cluster_url, 5.0) as client:
        await client.flushall()
        fleet = Fleet(client, clock)
        one, two = fleet.add(), fleet.add()
        await acquired(one, 2)
        await acquired(two, 1)
        waiting = asyncio.create_task(two.acquire(SITE))
        await one.token(SLOW)
        other_token = asyncio.create_task(two.token(SLOW))
        seconds = await fleet.until(other_token.done)

        assert not waiting.done()
        assert seconds >= 5
        assert (await fleet.use()).connections == 3
        assert await fleet.store.names(clock.now_ms()) == ["mx.site.example", "slow"]
        waiting.cancel()
        await fleet.end()
