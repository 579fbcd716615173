"""What waits for sites, and how much more may: pure counting."""

from __future__ import annotations

import math
import random
from collections import Counter

from services.relay.mx_rules import Site

# Of a domain that nothing else is said of, claimed at once. Less than any site with five connections may
# have waiting, so that a claim names the busy domains only, not all that wait.
CLAIM_OF_A_DOMAIN = 25
# What a site has taken of us in about so long may wait for it: more would leave no sooner, and the other
# Relays, who could take it there over their own connections meanwhile, would find nothing left.
_AHEAD_MS = 1_000.0
# But so many for each connection that it may have: a lane with less would open no second one (lanes.py),
# and how fast a site is shows only while all its connections are busy.
_LEAST_PER_CONNECTION = 6
# Of a site with a rate, at most what it takes in so many seconds.
_WAITING_SECONDS = 30.0
# A site where nothing has moved for so long keeps what is in the hands of its connections only: else the
# silent ones fill up what may be in flight. What is on a connection is not cut off by it.
_STUCK_MS = 5_000
# What a site has no room for comes again at twice its pace, so that it may get faster; what waits because
# it is stuck, within a quarter of the time for which it is: by so much it is late at most. Within a minute.
_SPARE, _OF_THE_OUTAGE, _LONGEST_MS = 2.0, 0.25, 60_000.0


class Backlog:
    """Counts what waits by site and by domain, of which several may share a site.

    A message is expected from its claim on; it waits once its site is known, until it leaves its lane.
    """

    def __init__(self, connections: int) -> None:
        """`connections`: to one route at once, from this process."""
        self._connections = connections
        self._expected: Counter[str] = Counter()  # by domain
        self._waiting: Counter[str] = Counter()  # by name of the site
        self._sites: dict[str, Site] = {}  # by domain, of what waits
        self._domains: Counter[str] = Counter()
        self._lanes: Counter[str] = Counter()  # by name of the site
        self._pace: dict[str, _Pace] = {}  # by name of the site, while it has a lane
        self._turn = 0  # which domain of a stuck site is looked at

    def lane_opened(self, site: Site, now_ms: int) -> None:
        """There is one more route to the site."""
        self._lanes[site.name] += 1
        self._pace.setdefault(site.name, _Pace(now_ms))

    def lane_closed(self, site: Site) -> None:
        """A route to the site has had nothing to do for a while."""
        if not _less(self._lanes, site.name):
            self._pace.pop(site.name, None)

    def expect(self, domain: str) -> None:
        """A message has been claimed: it will wait for its site, or it is `unexpected` after all."""
        self._expected[domain] += 1

    def unexpected(self, domain: str) -> None:
        """A message that was expected has ended without waiting."""
        _less(self._expected, domain)

    def add(self, domain: str, site: Site, now_ms: int) -> None:
        """A message that was expected waits."""
        self.unexpected(domain)
        if not self._waiting[site.name] and (pace := self._pace.get(site.name)) is not None:
            # Nothing had to move before.
            pace.moved_ms = now_ms
        self._waiting[site.name] += 1
        self._domains[domain] += 1
        self._sites[domain] = site

    def connected(self, site: Site, now_ms: int) -> None:
        """The site has taken a connection."""
        self._pace[site.name].moved_ms = now_ms

    def took(self, site: Site, now_ms: int) -> None:
        """The site has dealt with a message."""
        self._pace[site.name].count(now_ms)

    def remove(self, domain: str, site: Site) -> None:
        """A message waits no more."""
        _less(self._waiting, site.name)
        if not _less(self._domains, domain):
            del self._sites[domain]

    def room(self, now_ms: int) -> dict[str, int]:
        """How much more of a domain may be claimed, where that is less than CLAIM_OF_A_DOMAIN."""
        # Of a domain whose site is not known yet, two claims may be on their way.
        room = {domain: 2 * CLAIM_OF_A_DOMAIN - expected for domain, expected in self._expected.items()}
        coming: Counter[str] = Counter()
        for domain, site in self._sites.items():
            coming[site.name] += self._expected[domain]
        for domain, site in self._sites.items():
            room[domain] = self._most(site, now_ms) - self._waiting[site.name] - coming[site.name]
        stuck = [domain for domain, site in self._sites.items() if self.is_stuck(site, now_ms)]
        if stuck:
            # One after the other, so that what expires meanwhile is found.
            self._turn += 1
            room[stuck[self._turn % len(stuck)]] = 1
        return {domain: max(0, left) for domain, left in room.items() if left < CLAIM_OF_A_DOMAIN}

    def is_full(self, site: Site, now_ms: int) -> bool:
        """Whether a site has so much waiting that more of it would only be in the way of others: more than
        what was claimed before one knew."""
        if self.is_stuck(site, now_ms):
            return True
        most = max(self._most(site, now_ms), CLAIM_OF_A_DOMAIN)
        return self._waiting[site.name] > 2 * most

    def is_stuck(self, site: Site, now_ms: int) -> bool:
        """Whether nothing has moved for a while at a site without a rate, which may be slow on purpose."""
        pace = self._pace.get(site.name)
        return (
            pace is not None
            and self._waiting[site.name] > 0
            and site.rule.messages_per_second is None
            and now_ms - pace.moved_ms > _STUCK_MS
        )

    def appointment(self, site: Site, now_ms: int) -> int:
        """When a message that a site has no room for is due again (ms): each at a time of its own."""
        pace = self._pace.get(site.name)
        if pace is None:
            return now_ms + round(_AHEAD_MS)
        if self.is_stuck(site, now_ms):
            # As after any outage: the longer it lasts the later, and not all at once.
            longest_ms = max(_AHEAD_MS, (now_ms - pace.moved_ms) * _OF_THE_OUTAGE)
            return now_ms + round(min(longest_ms, _LONGEST_MS) * random.uniform(0.5, 1.0))
        between_ms = _AHEAD_MS / (_SPARE * max(1, self._most(site, now_ms)))
        pace.booked_ms = min(max(pace.booked_ms, now_ms + _AHEAD_MS) + between_ms, now_ms + _LONGEST_MS)
        return round(pace.booked_ms)

    def _most(self, site: Site, now_ms: int) -> int:
        if self.is_stuck(site, now_ms):
            return 0
        connections = self._connections * max(1, self._lanes[site.name])
        most = min(connections, site.rule.connections) * _LEAST_PER_CONNECTION
        if (pace := self._pace.get(site.name)) is not None:
            most = max(most, round(pace.level(now_ms)))
        if site.rule.messages_per_second is not None:
            most = min(most, max(1, int(site.rule.messages_per_second * _WAITING_SECONDS)))
        return most


class _Pace:
    """How many messages a site took in about the last _AHEAD_MS: each counts less the longer it is ago."""

    def __init__(self, now_ms: int) -> None:
        self._level, self._at_ms = 0.0, now_ms
        self.moved_ms = now_ms  # when a connection was opened, or a message dealt with
        self.booked_ms = 0.0  # the last appointment given

    def level(self, now_ms: int) -> float:
        """As it is now."""
        return self._level * math.exp((self._at_ms - now_ms) / _AHEAD_MS)

    def count(self, now_ms: int) -> None:
        """One more."""
        self._level, self._at_ms, self.moved_ms = self.level(now_ms) + 1.0, now_ms, now_ms


def _less(counts: Counter[str], key: str) -> int:
    """Count one less, and forget what is none; gives what is left."""
    counts[key] -= 1
    if counts[key]:
        return counts[key]
    del counts[key]
    return 0
