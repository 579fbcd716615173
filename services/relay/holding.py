"""What this Relay holds at one site: connections in use and in reserve, tokens in hand, who waits for more.

Pure state; limits.py carries it to the store and back.
"""

from __future__ import annotations

import asyncio
from collections import deque

from services.relay.mx_rules import Site
from services.relay.store.limits import Grant, Statement, capacity

# A connection that was closed is often opened again within moments: its slot is kept that long.
_LINGER_MS = 1_000
# Tokens that nobody used for so long go back, so that other Relays may use them.
_IN_HAND_MS = 1_000
# Tokens of one call, at most (architecture.md section 4); their number doubles while they are used up.
_MOST_TOKENS = 100
# From this block size on the next one is asked for before the last one is used up.
_PREFETCH_FROM = 8


class Holding:
    """The share of one Relay in one site."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.until_ms = 0  # until then what is held is ours
        self.scheduled_ms: int | None = None  # when limits.py looks at `due_ms` again
        # Connections: `held` of them are ours, `surplus` of these others have a right to.
        self.held = 0
        self.surplus = 0
        self.in_use = 0
        self.recalled = 0  # of those in use: told to close
        self.waiting: deque[asyncio.Future[None]] = deque()
        self.again_ms = 0
        self._idle_until_ms = 0
        # Tokens: what was granted and not used is in hand.
        self.used = 0
        self.granted = 0
        self.asked = False
        self.waiting_for_token: deque[asyncio.Future[None]] = deque()
        self.ready_ms = 0
        self._in_hand_until_ms = 0
        self._block = 1
        self._told_used = 0  # as of the last statement
        self._told_nothing = True  # the last statement held nothing and wanted nothing

    def open(self, now_ms: int) -> bool:
        """Take a connection into use, if one is there."""
        if now_ms >= self.until_ms or self.in_use >= self.held - self.surplus:
            return False
        self.in_use += 1
        return True

    def close(self, now_ms: int, *, recalled: bool) -> None:
        """Take a connection out of use; the next one who waits may have it."""
        self.in_use -= 1
        self.recalled -= recalled
        self._idle_until_ms = now_ms + _LINGER_MS
        self._hand_out(now_ms)

    def recall(self) -> bool:
        """Whether one of the connections in use must close, because it is not ours any more."""
        if self.in_use - self.recalled <= self.held - self.surplus:
            return False
        self.recalled += 1
        return True

    def take(self, now_ms: int) -> bool:
        """Use a token that is in hand."""
        if now_ms >= self.until_ms or self.granted <= self.used:
            return False
        self.used += 1
        in_hand = self.granted - self.used
        if in_hand == 0:
            self._block = min(2 * self._block, _MOST_TOKENS)
        self.asked |= self._block >= _PREFETCH_FROM and in_hand <= self._block // 4
        return True

    def give_back(self, now_ms: int) -> None:
        """A token that was taken is not used after all."""
        if self.used == 0:
            return
        if self.used <= self._told_used:
            # The store counts it as used: it goes back there, for whoever comes first.
            self.granted -= 1
        self.used -= 1
        self._hand_out(now_ms)

    def statement(self, now_ms: int) -> Statement:
        """Say what is held and wanted; what is not wanted any more is given up here and now."""
        rule = self.site.rule
        demand = self.in_use - self.recalled + len(self.waiting)
        in_reserve = self.held - self.surplus if now_ms < self._idle_until_ms else 0
        wanted = min(rule.connections, max(demand, in_reserve))
        held = max(self.in_use, min(self.held - self.surplus, wanted))
        self.surplus = max(0, self.surplus - (self.held - held))
        self.held = held
        if self.granted > self.used and now_ms >= self._in_hand_until_ms:
            self.granted = self.used
            self._block = max(1, self._block // 2)
        more = self._more()
        self._told_used = self.used
        self._told_nothing = not (held or wanted or more or self.granted > self.used)
        return Statement(
            self.site.name, rule, held, wanted, used=self.used, granted=self.granted, more=more
        )

    def _more(self) -> int:
        """How many tokens to ask for."""
        if self.site.rule.messages_per_second is None or not (self.asked or self.waiting_for_token):
            return 0
        # One Relay does not empty the bucket for the others, unless it holds one token only.
        most = capacity(self.site.rule)
        block = min(self._block, max(1, most // 2))
        return min(max(len(self.waiting_for_token), block), most, _MOST_TOKENS)

    def farewell(self) -> Statement:
        """Say that nothing is held or wanted any more."""
        return Statement(self.site.name, self.site.rule, 0, 0, used=self.used, granted=self.used)

    def grant(self, grant: Grant, now_ms: int, until_ms: int) -> None:
        """Take what the store gave, and hand it out to those who wait."""
        self.held, self.surplus, self.until_ms = grant.held, grant.surplus, until_ms
        self.again_ms, self.ready_ms = grant.again_ms, grant.ready_ms
        if grant.granted > self.granted:
            self.asked = False
            self._in_hand_until_ms = now_ms + _IN_HAND_MS
        # What was used while the statement was under way stays used.
        self.granted = max(grant.granted, self.used)
        self._hand_out(now_ms)

    def _hand_out(self, now_ms: int) -> None:
        while self.waiting and self.open(now_ms):
            self.waiting.popleft().set_result(None)
        while self.waiting_for_token and self.take(now_ms):
            self.waiting_for_token.popleft().set_result(None)

    @property
    def holds(self) -> bool:
        """Whether there is a lease to renew."""
        return self.held > 0 or self.granted > self.used

    @property
    def forgettable(self) -> bool:
        """Whether nothing is held or wanted, and the store knows."""
        wants = self.waiting or self.waiting_for_token or self.asked
        return self._told_nothing and not self.holds and not wants and self.used == self._told_used

    def due_ms(self) -> int | None:
        """When the store should hear of this site again, apart from renewals; None: not by itself."""
        times = []
        short = self.in_use - self.recalled + len(self.waiting) > self.held - self.surplus
        if self.waiting and short and self.held - self.surplus < self.site.rule.connections:
            times.append(self.again_ms)
        if self.waiting_for_token or self.asked:
            times.append(self.ready_ms)
        if self.held > self.in_use:
            times.append(0 if self.surplus > 0 else self._idle_until_ms)
        if self.granted > self.used:
            times.append(self._in_hand_until_ms)
        elif self.used != self._told_used:
            times.append(self.ready_ms)
        if not times and not self.holds and not self._told_nothing:
            times.append(0)
        return min(times, default=None)
