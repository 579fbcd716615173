"""Addresses of mail servers, cached by host: thousands of domains have their mail at the same ones."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass

from services.chassis.clock import Clock
from services.relay.dns_answer import Kind, Rcode
from services.relay.resolver import NoAnswer, Resolver
from services.relay.ttl import AHEAD_MS, LONGEST_FAILURE_TTL, expiry

# Hosts held at once, about 500 octets each.
_MAX_CACHED = 100_000
# Of either kind. An attempt tries five; an answer has room for thousands, of somebody who means us ill.
_MAX_ADDRESSES = 20


@dataclass(frozen=True, slots=True)
class Addresses:
    """What is known of a host: its addresses as text, and until when (Unix ms).

    `failed`: the name servers did, and nobody knows whether there are more.
    """

    found: tuple[str, ...]
    expires_ms: int
    failed: bool


class HostAddresses:
    """Looks up A and AAAA records. Look-ups of one host at one time are one."""

    def __init__(self, resolver: Resolver, clock: Clock) -> None:
        self._resolver = resolver
        self._clock = clock
        self._cache: dict[bytes, Addresses] = {}
        self._lookups: dict[bytes, asyncio.Task[Addresses]] = {}

    async def of(self, host: bytes) -> Addresses:
        """Give what is known of a host (name in wire format)."""
        known = self._cache.get(host)
        # A route that is looked up ahead of its time is to last longer than the one before.
        if known is not None and known.expires_ms - self._clock.now_ms() >= AHEAD_MS:
            return known
        task = self._lookups.get(host)
        if task is None:
            task = self._lookups[host] = asyncio.create_task(self._look_up(host))
            task.add_done_callback(lambda _: self._lookups.pop(host, None))
        # One caller that gives up takes nothing from the others.
        return await asyncio.shield(task)

    async def _look_up(self, host: bytes) -> Addresses:
        answers = await asyncio.gather(
            self._resolver.ask(host, Kind.A), self._resolver.ask(host, Kind.AAAA), return_exceptions=True
        )
        found: dict[str, int] = {}
        absent: list[int] = [LONGEST_FAILURE_TTL]
        failed = False
        for answer in answers:
            if isinstance(answer, NoAnswer):
                failed = True
            elif isinstance(answer, BaseException):
                raise answer
            elif answer.records and answer.rcode == Rcode.NOERROR:
                some = random.sample(answer.records, min(len(answer.records), _MAX_ADDRESSES))
                found.update((str(address), answer.ttl) for address in some)
            else:
                absent.append(answer.ttl)
        # That a host with IPv4 has no IPv6 yet shortens nothing.
        ttl = min(found.values() or absent)
        addresses = Addresses(tuple(found), expiry(self._clock, ttl), failed)
        if not failed:
            self._cache.pop(host, None)
            self._cache[host] = addresses
            if len(self._cache) > _MAX_CACHED:
                del self._cache[next(iter(self._cache))]
        return addresses
