"""What waits for sites, and how much more may: pure counting."""

from __future__ import annotations

from collections import Counter

from services.relay.mx_rules import Site

# Messages that wait for each connection that a site may have: enough to keep it busy until the next claim.
_WAITING_PER_CONNECTION = 20
# Of a site with a rate, what it takes in so many seconds.
_WAITING_SECONDS = 30.0


class Backlog:
    """Counts what waits by site and by domain, of which several may share a site."""

    def __init__(self, connections: int) -> None:
        """`connections`: to one route at once, from this process."""
        self._connections = connections
        self._waiting: Counter[str] = Counter()  # by name of the site
        self._sites: dict[str, Site] = {}  # by domain, of what waits
        self._domains: Counter[str] = Counter()

    def add(self, domain: str, site: Site) -> None:
        """A message waits."""
        self._waiting[site.name] += 1
        self._domains[domain] += 1
        self._sites[domain] = site

    def remove(self, domain: str, site: Site) -> None:
        """A message waits no more."""
        self._waiting[site.name] -= 1
        self._domains[domain] -= 1
        if not self._domains[domain]:
            del self._domains[domain], self._sites[domain]
        if not self._waiting[site.name]:
            del self._waiting[site.name]

    def room(self, usual: int) -> dict[str, int]:
        """How much more of a domain may be claimed, for the domains where that is less than `usual`."""
        room = {domain: self._room(site) for domain, site in self._sites.items()}
        return {domain: max(0, left) for domain, left in room.items() if left < usual}

    def is_full(self, site: Site) -> bool:
        """Whether a site has so much waiting that more of it would only be in the way of others."""
        return self._room(site) < -self._most(site)

    def _room(self, site: Site) -> int:
        return self._most(site) - self._waiting[site.name]

    def _most(self, site: Site) -> int:
        most = min(self._connections, site.rule.connections) * _WAITING_PER_CONNECTION
        if site.rule.messages_per_second is not None:
            most = min(most, max(1, int(site.rule.messages_per_second * _WAITING_SECONDS)))
        return most
