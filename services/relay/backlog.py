"""What waits for sites, and how much more may: pure counting."""

from __future__ import annotations

import math
from collections import Counter

from services.relay.mx_rules import Site

# What a site has taken of us in about so long may wait for it: more would leave no sooner, and the other
# Relays, who could take it there over their own connections meanwhile, would find nothing left.
_AHEAD_MS = 1_000.0
# But so many for each connection that it may have: a lane with less would open no second one (lanes.py),
# and how fast a site is shows only while all its connections are busy.
_LEAST_PER_CONNECTION = 6
# Of a site with a rate, at most what it takes in so many seconds.
_WAITING_SECONDS = 30.0


class Backlog:
    """Counts what waits by site and by domain, of which several may share a site.

    A message is expected from its claim on; it waits once its site is known, until it has been there.
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

    def lane_opened(self, site: Site) -> None:
        """There is one more route to the site."""
        self._lanes[site.name] += 1

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

    def add(self, domain: str, site: Site) -> None:
        """A message that was expected waits."""
        self.unexpected(domain)
        self._waiting[site.name] += 1
        self._domains[domain] += 1
        self._sites[domain] = site

    def remove(self, domain: str, site: Site, now_ms: int) -> None:
        """A message waits no more: it has been there."""
        _less(self._waiting, site.name)
        self._pace.setdefault(site.name, _Pace()).count(now_ms)
        if not _less(self._domains, domain):
            del self._sites[domain]

    def room(self, usual: int) -> dict[str, int]:
        """How much more of a domain may be claimed, for the domains where that is less than `usual`."""
        # Of a domain whose site is not known yet, two claims may be on their way.
        room = {domain: 2 * usual - expected for domain, expected in self._expected.items()}
        coming: Counter[str] = Counter()
        for domain, site in self._sites.items():
            coming[site.name] += self._expected[domain]
        for domain, site in self._sites.items():
            room[domain] = self._room(site) - coming[site.name]
        return {domain: max(0, left) for domain, left in room.items() if left < usual}

    def is_full(self, site: Site) -> bool:
        """Whether a site has so much waiting that more of it would only be in the way of others."""
        return self._room(site) < -self._most(site)

    def _room(self, site: Site) -> int:
        return self._most(site) - self._waiting[site.name]

    def _most(self, site: Site) -> int:
        connections = self._connections * max(1, self._lanes[site.name])
        most = min(connections, site.rule.connections) * _LEAST_PER_CONNECTION
        if (pace := self._pace.get(site.name)) is not None:
            most = max(most, round(pace.level))
        if site.rule.messages_per_second is not None:
            most = min(most, max(1, int(site.rule.messages_per_second * _WAITING_SECONDS)))
        return most


class _Pace:
    """How many messages a site took in about the last _AHEAD_MS: each counts less the longer it is ago."""

    def __init__(self) -> None:
        self.level = 0.0
        self._at_ms = 0

    def count(self, now_ms: int) -> None:
        """One more."""
        self.level = 1.0 + self.level * math.exp((self._at_ms - now_ms) / _AHEAD_MS)
        self._at_ms = now_ms


def _less(counts: Counter[str], key: str) -> int:
    """Count one less, and forget what is none; gives what is left."""
    counts[key] -= 1
    if counts[key]:
        return counts[key]
    del counts[key]
    return 0
