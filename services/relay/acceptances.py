"""Whose messages were accepted, for Bounce's outage guard: as keys that tell nobody who it is."""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from hashlib import blake2b

from emta.bounce.v1.acceptance_service_pb2 import SiteAcceptances

# As many as a call may hold (acceptance_service.proto). A Relay sends fewer in a second.
_MOST_KEYS, _MOST_SITES = 20_000, 1_000
# While Bounce is away, the numbers of so many sites are kept: some megabytes.
_MOST_SITES_UNTOLD = 10_000
# Of so many domains and sites the hash is at hand: the large ones are seen again and again.
_REMEMBERED = 4_096


class Acceptances:
    """What was accepted and not reported yet; beyond a bound it is only counted."""

    def __init__(self, secret: bytes, *, on: bool) -> None:
        """`secret`: 16 to 64 octets, the same for all Relays of a store. `on`: whether anything is kept."""
        self._secret = secret
        self._on = on
        self._keys: dict[str, list[int]] = {}
        self._untold: defaultdict[str, int] = defaultdict(int)
        self._room = _MOST_KEYS
        self._domain_tag = lru_cache(_REMEMBERED)(self._tag)
        self._hash_of = lru_cache(_REMEMBERED)(self._hash)

    def key(self, site: str, address: str) -> int:
        """Give a recipient's key, 64 bits: 16 of the domain, 48 of site and address; 0: nothing is kept."""
        if not self._on:
            return 0
        own = self._hash_of(site).copy()  # a third of the time of a new one with a key
        own.update(address.encode())
        return self._domain_tag(address.rpartition("@")[2]) | int.from_bytes(own.digest(), "big")

    def add(self, site: str, address: str) -> None:
        """A site accepted a message to this address."""
        if not self._on:
            return
        keys = self._keys.get(site)
        if self._room == 0 or (keys is None and len(self._keys) == _MOST_SITES):
            self._count(site, 1)
            return
        self._room -= 1
        if keys is None:
            keys = self._keys[site] = []
        keys.append(self.key(site, address))

    def take(self) -> list[SiteAcceptances]:
        """Give what is not reported yet; it counts as reported."""
        keys, self._keys, self._room = self._keys, {}, _MOST_KEYS
        told = [
            SiteAcceptances(site=site, recipient_keys=of_site, untold=self._untold.pop(site, 0))
            for site, of_site in keys.items()
        ]
        for site in list(self._untold)[: _MOST_SITES - len(told)]:
            told.append(SiteAcceptances(site=site, untold=self._untold.pop(site)))
        return told

    def lost(self, acceptances: list[SiteAcceptances]) -> None:
        """Keep the number of what was taken and did not arrive: refusals alone look like an outage."""
        for told in acceptances:
            self._count(told.site, len(told.recipient_keys) + told.untold)

    def _count(self, site: str, messages: int) -> None:
        if site in self._untold or len(self._untold) < _MOST_SITES_UNTOLD:
            self._untold[site] += messages

    def _tag(self, domain: str) -> int:
        octets = blake2b(domain.encode(), digest_size=2, key=self._secret).digest()
        return int.from_bytes(octets, "big") << 48

    def _hash(self, site: str) -> blake2b:
        return blake2b(f"{site}\n".encode(), digest_size=6, key=self._secret)
