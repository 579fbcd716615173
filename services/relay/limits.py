"""Limits of receiving sites, held by all Relays together and asked for by the lanes of this one.

    slot = await limits.acquire(site)            # before a connection is opened
    while slot.valid(clock.now_ms()):            # before every transaction, after the token if it waited
        if not limits.take(site):
            await limits.token(site)
        ...
    slot.release()                               # when it is closed

Nothing here costs a call per message: a lease covers all connections of a site and is renewed with all
others in one call; tokens come in blocks; who asks while a call is under way goes with the next one.
"""

from __future__ import annotations

import asyncio
import heapq
import secrets
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import islice

from redis.exceptions import RedisError

from services.chassis.background import beside
from services.chassis.clock import Clock, sleep_unless
from services.chassis.logs import Log
from services.relay.holding import Holding
from services.relay.mx_rules import MxRules, Site
from services.relay.store.limits import Grant, LimitStore, Statement

_log = Log("relay")

# Sites of one call: it blocks the store for a millisecond or two.
_SITES_A_CALL = 100
_STORE_AWAY_MS = 500
# A connection stays through its handshake and some messages before it is passed on to another Relay.
_TURN_MS = 10_000


class Slot:
    """The right to one open connection to a site."""

    def __init__(self, holding: Holding, limits: Limits) -> None:
        self._holding = holding
        self._limits = limits
        self._recalled = False
        self._released = False

    def valid(self, now_ms: int) -> bool:
        """Whether another transaction may begin; else the connection must be closed and the slot released.

        It ends with its lease (the store is away), and when another Relay has a right to it.
        """
        self._recalled = self._recalled or self._holding.recall()
        return not self._recalled and not self._released and now_ms < self._holding.until_ms

    def release(self) -> None:
        """The connection is closed. Idempotent."""
        if not self._released:
            self._released = True
            self._limits.released(self._holding, recalled=self._recalled)


class Limits:
    """What this Relay may do at receiving sites. Nothing is granted unless `run` is running."""

    def __init__(
        self, store: LimitStore, clock: Clock, rules: MxRules, relay_id: str, lease_seconds: float
    ) -> None:
        """`relay_id` is for people to read: a part that is new at every start makes it unique."""
        self._store = store
        self._clock = clock
        self.rules = rules
        self._holder = f"{relay_id}/{secrets.token_hex(4)}"
        self._lease_ms = round(lease_seconds * 1000)
        # The clocks of two Relays may differ: we stop before the store gives to another what was ours.
        self._ours_ms = self._lease_ms * 9 // 10
        self._sequence = 0
        self._holdings: dict[str, Holding] = {}
        self._dirty: dict[str, None] = {}  # sites to state, in the order in which they came
        self._due: list[tuple[int, str]] = []  # heap
        self._renew_ms = 0
        self._wake = asyncio.Event()
        self._away = False

    async def acquire(self, site: Site) -> Slot:
        """Wait for the right to open a connection to `site`. The slot must be released."""
        slot = self.try_acquire(site)
        if slot is not None:
            return slot
        holding = self._holding(site)
        await self._turn(holding, holding.waiting, lambda: self.released(holding, recalled=False))
        return Slot(holding, self)

    def try_acquire(self, site: Site) -> Slot | None:
        """Give the right to open a connection to `site`, if one is there without asking the store."""
        holding = self._holding(site)
        if holding.waiting or not holding.open(self._clock.now_ms()):
            return None
        return Slot(holding, self)

    def take(self, site: Site) -> bool:
        """Take the token for one transaction, if one is in hand; always true where the site has no rate.

        If there is none, one is asked for: wait for `token`, or try again at `ready_ms`.
        """
        if site.rule.messages_per_second is None:
            return True
        holding = self._holding(site)
        if holding.waiting_for_token or not holding.take(self._clock.now_ms()):
            holding.asked = True
            self._schedule(holding)
            return False
        if holding.asked or holding.granted == holding.used:
            self._schedule(holding)
        return True

    async def token(self, site: Site) -> None:
        """Wait for the token of one transaction, and take it."""
        if not self.take(site):
            holding = self._holding(site)
            await self._turn(holding, holding.waiting_for_token, lambda: self.give_back(site))

    def give_back(self, site: Site) -> None:
        """A token that was taken is not used after all: its transaction does not begin."""
        if site.rule.messages_per_second is not None:
            holding = self._holding(site)
            holding.give_back(self._clock.now_ms())
            self._schedule(holding)

    def ready_ms(self, site: Site) -> int:
        """When a transaction with `site` may begin, as far as is known (ms)."""
        now_ms = self._clock.now_ms()
        holding = self._holdings.get(site.name)
        if holding is None or holding.granted > holding.used:
            return now_ms
        return max(now_ms, holding.ready_ms)

    def released(self, holding: Holding, *, recalled: bool) -> None:
        """For slots: a connection is closed."""
        holding.close(self._clock.now_ms(), recalled=recalled)
        self._schedule(holding)

    def running(self) -> AbstractAsyncContextManager[None]:
        """Serve until the block ends, by when the connections are closed; then give everything back."""
        return beside(self.run, _log, then=self.close)

    async def run(self) -> None:
        """Carry to the store what is asked for, and keep leases, until cancelled."""
        while True:
            self._wake.clear()
            now_ms = self._clock.now_ms()
            self._collect(now_ms)
            if not self._dirty:
                next_ms = min(self._renew_ms, self._due[0][0] if self._due else self._renew_ms)
                await sleep_unless(self._wake, self._clock, next_ms)
                continue
            sites = list(islice(self._dirty, _SITES_A_CALL))
            try:
                await self._state(sites, now_ms)
                self._away = False
            except RedisError as error:
                if not self._away:
                    _log.warning("limits_store_away", error=type(error).__name__)
                self._away = True
                await self._clock.sleep_until(now_ms + _STORE_AWAY_MS)

    async def close(self) -> None:
        """Give everything back, best effort: `run` has ended and the connections are closed."""
        holdings = list(self._holdings.values())
        self._holdings.clear()
        for holding in holdings:
            for turn in (*holding.waiting, *holding.waiting_for_token):
                turn.cancel()
        try:
            for first in range(0, len(holdings), _SITES_A_CALL):
                some = holdings[first : first + _SITES_A_CALL]
                await self._reserve([holding.farewell() for holding in some], self._clock.now_ms())
        except RedisError as error:
            _log.warning("limits_not_given_back", error=type(error).__name__)

    def _holding(self, site: Site) -> Holding:
        holding = self._holdings.get(site.name)
        if holding is None:
            holding = self._holdings[site.name] = Holding(site)
        holding.site = site
        return holding

    async def _turn(
        self, holding: Holding, queue: deque[asyncio.Future[None]], undo: Callable[[], None]
    ) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        self._schedule(holding)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                undo()
            elif turn in queue:
                queue.remove(turn)
                self._schedule(holding)
            raise

    def _schedule(self, holding: Holding) -> None:
        """Have the site stated when it is due."""
        due_ms = holding.due_ms()
        if due_ms is None or (holding.scheduled_ms is not None and holding.scheduled_ms <= due_ms):
            return
        holding.scheduled_ms = due_ms
        heapq.heappush(self._due, (due_ms, holding.site.name))
        if self._due[0][0] == due_ms:
            self._wake.set()

    def _collect(self, now_ms: int) -> None:
        """Find the sites to state now."""
        if now_ms >= self._renew_ms:
            self._renew_ms = now_ms + self._lease_ms // 3
            self._dirty.update((name, None) for name, held in self._holdings.items() if held.holds)
        while self._due and self._due[0][0] <= now_ms:
            due_ms, name = heapq.heappop(self._due)
            holding = self._holdings.get(name)
            if holding is None or holding.scheduled_ms != due_ms:
                continue
            holding.scheduled_ms = None
            still_ms = holding.due_ms()
            if still_ms is not None and still_ms <= now_ms:
                self._dirty[name] = None
            else:
                self._schedule(holding)

    async def _state(self, sites: Sequence[str], now_ms: int) -> None:
        holdings = [self._holdings[name] for name in sites if name in self._holdings]
        grants = await self._reserve([holding.statement(now_ms) for holding in holdings], now_ms)
        for name in sites:
            del self._dirty[name]
        now_after_ms = self._clock.now_ms()
        for holding, grant in zip(holdings, grants, strict=True):
            if grant is not None:
                holding.grant(grant, now_after_ms, now_ms + self._ours_ms)
            if holding.forgettable:
                del self._holdings[holding.site.name]
            else:
                self._schedule(holding)

    async def _reserve(self, statements: Sequence[Statement], now_ms: int) -> list[Grant | None]:
        self._sequence += 1
        return await self._store.reserve(
            self._holder,
            self._sequence,
            statements,
            now_ms=now_ms,
            lease_end_ms=now_ms + self._lease_ms,
            turn_ms=_TURN_MS,
        )
