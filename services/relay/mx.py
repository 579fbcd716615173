"""Which hosts take a domain's mail: MX and address records, cached as long as they live."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass

from emta.bounce.v1.smtp_reply_pb2 import FailureKind, SmtpPhase, SmtpReply
from services.chassis.clock import Clock
from services.relay import dns_answer
from services.relay.dns_answer import Kind, Rcode
from services.relay.host_addresses import Addresses, HostAddresses
from services.relay.replies import AttemptFailed, Place
from services.relay.resolver import NameServer, NoAnswer, Resolver
from services.relay.ttl import AHEAD_MS, LONGEST_FAILURE_TTL, SHORTEST_TTL, expiry

# The best ones; an attempt tries five addresses.
_MAX_HOSTS = 20
# Hosts looked up at one time: long lists whose name servers never answer would otherwise take up all
# questions that we may have open (resolver.py), for as long as one may take.
_HOSTS_AT_ONCE = 5
# RFC 8767 section 5: answers may be used for a while past their time when there are no fresh ones.
_STALE_MS = 86_400_000
# Domains held at once; 100,000 routes are about 100 MB.
_MAX_CACHED = 100_000

_Exchanges = list[tuple[int, bytes]]  # preference, host name in wire format


@dataclass(frozen=True)
class MxHost:
    """A receiving server: its name (lower case, no final dot) and its addresses, the first one first."""

    name: str
    addresses: tuple[str, ...]


class Route:
    """The servers of a domain. Domains with equal keys have the same ones: they can share connections."""

    __slots__ = ("best_host", "by_preference", "key")

    def __init__(self, by_preference: tuple[tuple[int, MxHost], ...]) -> None:
        """`by_preference`: (preference, host), best first."""
        self.by_preference = by_preference
        best = by_preference[0][0]
        # Always the same one of equals: it names the site where no MX rule does.
        self.best_host = min(host.name for preference, host in by_preference if preference == best)
        self.key = " ".join(sorted(f"{preference}:{host.name}" for preference, host in by_preference))

    @property
    def hosts(self) -> tuple[MxHost, ...]:
        """The servers in the order to try, equal preferences and the addresses of a host shuffled anew."""
        shuffled = random.sample(self.by_preference, len(self.by_preference))
        ordered = sorted(shuffled, key=lambda entry: entry[0])
        return tuple(MxHost(host.name, _in_order(host.addresses)) for _, host in ordered)


@dataclass(frozen=True)
class _Answer:
    """What the cache holds: a route or why there is none; never both."""

    expires_ms: int
    route: Route | None = None
    failure: SmtpReply | None = None
    stale_until_ms: int = 0  # until when the route serves while the name servers are down


class _NoRoute(Exception):
    def __init__(self, kind: FailureKind, text: str, ttl: float = SHORTEST_TTL) -> None:
        super().__init__(text)
        self.kind, self.text, self.ttl = kind, text, ttl


class MxResolver:
    """Looks up routes (RFC 5321 section 5.1, RFC 7505). Look-ups of one domain at one time are one."""

    def __init__(
        self, nameservers: Sequence[str], clock: Clock, *, timeout_seconds: float, ehlo_name: str
    ) -> None:
        """`nameservers`: "address:port" each; none: the system's. `timeout_seconds` is a query's."""
        servers = [NameServer.parse(text) for text in nameservers] or NameServer.of_the_system()
        self._resolver = Resolver(servers, timeout_seconds=timeout_seconds)
        self._addresses = HostAddresses(self._resolver, clock)
        self._clock = clock
        self._own_name = dns_answer.to_wire(ehlo_name)
        self._cache: dict[str, _Answer] = {}
        self._lookups: dict[str, asyncio.Task[_Answer]] = {}

    async def route(self, domain: str) -> Route:
        """Give the servers for a domain (A-labels, lower case), equal preferences in random order.

        Raises AttemptFailed with phase DNS: DOMAIN_NOT_FOUND, NO_MX, NULL_MX, DNS_UNAVAILABLE, LOOP.
        """
        answer = self._cache.get(domain)
        if answer is None or answer.expires_ms <= self._clock.now_ms():
            answer = await self._look_up_once(domain)
        if answer.route is None:
            assert answer.failure is not None
            raise AttemptFailed(answer.failure)
        return answer.route

    def known(self, domain: str) -> Route | None:
        """Give the route of a domain if it is at hand; a look-up that is soon needed begins meanwhile."""
        answer = self._cache.get(domain)
        if answer is None or answer.route is None:
            return None
        left_ms = answer.expires_ms - self._clock.now_ms()
        if left_ms <= 0:
            return None
        if left_ms < AHEAD_MS and domain not in self._lookups:
            self._begin_look_up(domain)
        return answer.route

    def close(self) -> None:
        """Close the sockets."""
        self._resolver.close()

    async def _look_up_once(self, domain: str) -> _Answer:
        task = self._lookups.get(domain) or self._begin_look_up(domain)
        # One caller that gives up takes nothing from the others.
        return await asyncio.shield(task)

    def _begin_look_up(self, domain: str) -> asyncio.Task[_Answer]:
        task = self._lookups[domain] = asyncio.create_task(self._look_up(domain))
        task.add_done_callback(lambda _: self._lookups.pop(domain, None))
        return task

    async def _look_up(self, domain: str) -> _Answer:
        try:
            hosts, expires_ms = await self._hosts(domain)
            answer = _Answer(expires_ms, Route(hosts), None, expires_ms + _STALE_MS)
        except _NoRoute as problem:
            old = self._cache.get(domain)
            if (
                problem.kind == FailureKind.FAILURE_KIND_DNS_UNAVAILABLE
                and old is not None
                and old.route is not None
                and self._clock.now_ms() < old.stale_until_ms
            ):
                # RFC 8767: what was true a while ago serves better than nothing.
                answer = _Answer(expiry(self._clock, SHORTEST_TTL), old.route, None, old.stale_until_ms)
                self._cache[domain] = answer
                return answer
            reply = Place(domain).failure(SmtpPhase.SMTP_PHASE_DNS, problem.kind, problem.text)
            answer = _Answer(expiry(self._clock, problem.ttl, LONGEST_FAILURE_TTL), failure=reply)
        self._cache.pop(domain, None)
        self._cache[domain] = answer
        if len(self._cache) > _MAX_CACHED:
            del self._cache[next(iter(self._cache))]
        return answer

    async def _hosts(self, domain: str) -> tuple[tuple[tuple[int, MxHost], ...], int]:
        """Give (preference, host) and until when that holds (Unix ms)."""
        exchanges, ttl = await self._exchanges(domain)
        looked_up: list[Addresses] = []
        for start in range(0, len(exchanges), _HOSTS_AT_ONCE):
            some = exchanges[start : start + _HOSTS_AT_ONCE]
            looked_up += await asyncio.gather(*(self._addresses.of(name) for _, name in some))
        hosts = tuple(
            (preference, MxHost(dns_answer.to_text(name), addresses.found))
            for (preference, name), addresses in zip(exchanges, looked_up, strict=True)
            if addresses.found
        )
        failed = any(addresses.failed for addresses in looked_up)
        if hosts:
            # What is missing is asked for again soon.
            ends = [expiry(self._clock, SHORTEST_TTL if failed else ttl)]
            return hosts, min(ends + [each.expires_ms for each in looked_up if each.found])
        if failed:
            raise _NoRoute(
                FailureKind.FAILURE_KIND_DNS_UNAVAILABLE,
                f"no address of the mail servers of {domain} could be looked up",
            )
        raise _NoRoute(
            FailureKind.FAILURE_KIND_NO_MX,
            f"{domain} has neither MX nor address records"
            if [name for _, name in exchanges] == [_name(domain)]
            else f"no mail server of {domain} has an address",
            min(ttl, *((each.expires_ms - self._clock.now_ms()) / 1000 for each in looked_up)),
        )

    async def _exchanges(self, domain: str) -> tuple[_Exchanges, float]:
        """Give (preference, host name), best first; without MX records the domain itself."""
        name = _name(domain)
        try:
            answer = await self._resolver.ask(name, Kind.MX)
        except NoAnswer as error:
            kind = FailureKind.FAILURE_KIND_DNS_UNAVAILABLE
            raise _NoRoute(kind, f"MX records of {domain}: {error}") from None
        if answer.rcode == Rcode.NXDOMAIN:
            kind = FailureKind.FAILURE_KIND_DOMAIN_NOT_FOUND
            raise _NoRoute(kind, f"{domain} does not exist", answer.ttl)
        records: _Exchanges = [record for record in answer.records if isinstance(record, tuple)]
        listed = sorted(records) or [(0, name)]
        exchanges = [entry for entry in listed if entry[1] != dns_answer.ROOT]
        if not exchanges:
            text = f"{domain} accepts no mail (null MX)"
            raise _NoRoute(FailureKind.FAILURE_KIND_NULL_MX, text, answer.ttl)
        # That there are no MX records shortens nothing where the domain itself has an address.
        ttl = answer.ttl if records else LONGEST_FAILURE_TTL
        return self._better_than_us(domain, exchanges[:_MAX_HOSTS], ttl), ttl

    def _better_than_us(self, domain: str, exchanges: _Exchanges, ttl: float) -> _Exchanges:
        """RFC 5321 section 5.1: hosts no better than ourselves would only send the mail back to us."""
        ours = [preference for preference, name in exchanges if name == self._own_name]
        if not ours:
            return exchanges
        better = [entry for entry in exchanges if entry[0] < min(ours)]
        if not better:
            text = f"the MX records of {domain} lead back to {dns_answer.to_text(self._own_name)}"
            raise _NoRoute(FailureKind.FAILURE_KIND_LOOP, text, ttl)
        return better


def _name(domain: str) -> bytes:
    try:
        return dns_answer.to_wire(domain)
    except ValueError as error:
        kind = FailureKind.FAILURE_KIND_DOMAIN_NOT_FOUND
        raise _NoRoute(kind, f"{domain!r} cannot be a domain name: {error}") from None


def _in_order(addresses: tuple[str, ...]) -> tuple[str, ...]:
    # IPv4 first: receivers know senders by their IPv4 addresses, few hosts have a reputation in IPv6.
    # Within a family the load is spread, which the cache would otherwise take from the name servers.
    shuffled = random.sample(addresses, len(addresses))
    return tuple(sorted(shuffled, key=lambda address: ":" in address))
