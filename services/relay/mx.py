"""Which hosts take a domain's mail: MX and address records, cached as long as they live."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address

import dns.asyncresolver
import dns.exception
import dns.message
import dns.name
import dns.nameserver
import dns.resolver
from dns.rdatatype import RdataType
from dns.rdtypes.ANY.MX import MX

from emta.bounce.v1.smtp_reply_pb2 import FailureKind, SmtpPhase, SmtpReply
from services.chassis.clock import Clock
from services.relay.replies import AttemptFailed, Place

# The largest real MX lists have a few dozen entries; more is an attack on whoever looks them all up.
_MAX_HOSTS = 100
# Seconds. Below the floor a domain could make us ask for every message; a day is RFC 2308's advice for
# the longest that wrong data should stay.
_SHORTEST_TTL, _LONGEST_TTL = 30, 86_400
# Seconds. RFC 2308 section 7: a failure is remembered for at most five minutes, so that a domain which was
# repaired gets its mail.
_LONGEST_FAILURE_TTL = 300
# A busy domain is looked up again before its records run out, so that nobody waits for it.
_AHEAD_MS = 3_000
# RFC 8767 section 5: answers may be used for a while past their time when there are no fresh ones.
_STALE_MS = 86_400_000
# Domains held at once; 100,000 routes are about 100 MB.
_MAX_CACHED = 100_000
# With one name server before asking the next one or again: what resolvers use by custom (resolv.conf).
_PATIENCE_SECONDS = 2.0
# Open queries, each with a socket of its own.
_MAX_QUERIES = 200


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


@dataclass(frozen=True)
class _Addresses:
    found: tuple[str, ...]
    ttl: float
    failed: bool  # SERVFAIL or no answer in time: nobody knows whether there are more


class _NoRoute(Exception):
    def __init__(self, kind: FailureKind, text: str, ttl: float = _SHORTEST_TTL) -> None:
        super().__init__(text)
        self.kind, self.text, self.ttl = kind, text, ttl


class MxResolver:
    """Looks up routes (RFC 5321 section 5.1, RFC 7505). Look-ups of one domain at one time are one."""

    def __init__(
        self, nameservers: Sequence[str], clock: Clock, *, timeout_seconds: float, ehlo_name: str
    ) -> None:
        """`nameservers`: "address:port" each; none: the system's. `timeout_seconds` is a query's."""
        self._resolver = dns.asyncresolver.Resolver(configure=not nameservers)
        if nameservers:
            self._resolver.nameservers = list(map(_nameserver, nameservers))
        self._resolver.lifetime = timeout_seconds
        # A dead name server leaves time for the next one.
        self._resolver.timeout = min(_PATIENCE_SECONDS, timeout_seconds / len(self._resolver.nameservers))
        self._clock = clock
        self._own_name = ehlo_name.lower().rstrip(".")
        self._cache: dict[str, _Answer] = {}
        self._lookups: dict[str, asyncio.Task[_Answer]] = {}
        self._queries = asyncio.Semaphore(_MAX_QUERIES)

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
        if left_ms < _AHEAD_MS and domain not in self._lookups:
            self._begin_look_up(domain)
        return answer.route

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
            hosts, ttl = await self._hosts(domain)
            expires_ms = self._expiry(ttl, _LONGEST_TTL)
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
                answer = _Answer(
                    self._expiry(_SHORTEST_TTL, _LONGEST_TTL), old.route, None, old.stale_until_ms
                )
                self._cache[domain] = answer
                return answer
            reply = Place(domain).failure(SmtpPhase.SMTP_PHASE_DNS, problem.kind, problem.text)
            answer = _Answer(self._expiry(problem.ttl, _LONGEST_FAILURE_TTL), failure=reply)
        self._cache.pop(domain, None)
        self._cache[domain] = answer
        if len(self._cache) > _MAX_CACHED:
            del self._cache[next(iter(self._cache))]
        return answer

    def _expiry(self, ttl: float, longest: int) -> int:
        return self._clock.now_ms() + int(min(max(ttl, _SHORTEST_TTL), longest) * 1000)

    async def _hosts(self, domain: str) -> tuple[tuple[tuple[int, MxHost], ...], float]:
        exchanges, ttl = await self._exchanges(domain)
        names = [name for _, name in exchanges]
        looked_up = await asyncio.gather(*map(self._addresses, names))
        hosts = tuple(
            (preference, MxHost(_text(name), addresses.found))
            for (preference, name), addresses in zip(exchanges, looked_up, strict=True)
            if addresses.found
        )
        failed = any(addresses.failed for addresses in looked_up)
        if hosts:
            # What is missing is asked for again soon.
            return hosts, _SHORTEST_TTL if failed else min(
                ttl, *(each.ttl for each in looked_up if each.found)
            )
        if failed:
            raise _NoRoute(
                FailureKind.FAILURE_KIND_DNS_UNAVAILABLE,
                f"no address of the mail servers of {domain} could be looked up",
            )
        raise _NoRoute(
            FailureKind.FAILURE_KIND_NO_MX,
            f"{domain} has neither MX nor address records"
            if names == [_name(domain)]
            else f"no mail server of {domain} has an address",
            min(ttl, *(each.ttl for each in looked_up)),
        )

    async def _exchanges(self, domain: str) -> tuple[list[tuple[int, dns.name.Name]], float]:
        """Give (preference, host name), best first; without MX records the domain itself."""
        name = _name(domain)
        try:
            answer = await self._query(name, RdataType.MX)
        except dns.resolver.NXDOMAIN as error:
            kind = FailureKind.FAILURE_KIND_DOMAIN_NOT_FOUND
            raise _NoRoute(kind, f"{domain} does not exist", _negative_ttl(error)) from None
        except dns.exception.DNSException as error:
            kind = FailureKind.FAILURE_KIND_DNS_UNAVAILABLE
            raise _NoRoute(kind, f"MX records of {domain}: {_why(error)}") from None
        ttl = float(answer.chaining_result.minimum_ttl)
        records = [record for record in answer.rrset or () if isinstance(record, MX)]
        listed = sorted((record.preference, record.exchange) for record in records) or [(0, name)]
        exchanges = [entry for entry in listed if entry[1] != dns.name.root]
        if not exchanges:
            raise _NoRoute(FailureKind.FAILURE_KIND_NULL_MX, f"{domain} accepts no mail (null MX)", ttl)
        return self._better_than_us(domain, exchanges[:_MAX_HOSTS], ttl), ttl

    def _better_than_us(
        self, domain: str, exchanges: list[tuple[int, dns.name.Name]], ttl: float
    ) -> list[tuple[int, dns.name.Name]]:
        """RFC 5321 section 5.1: hosts no better than ourselves would only send the mail back to us."""
        ours = [preference for preference, name in exchanges if _text(name) == self._own_name]
        if not ours:
            return exchanges
        better = [entry for entry in exchanges if entry[0] < min(ours)]
        if not better:
            text = f"the MX records of {domain} lead back to {self._own_name}"
            raise _NoRoute(FailureKind.FAILURE_KIND_LOOP, text, ttl)
        return better

    async def _addresses(self, name: dns.name.Name) -> _Addresses:
        kinds = (RdataType.A, RdataType.AAAA)
        answers = await asyncio.gather(*(self._query(name, kind) for kind in kinds), return_exceptions=True)
        found: dict[str, float] = {}
        absent: list[float] = [_LONGEST_FAILURE_TTL]
        failed = False
        for answer in answers:
            if isinstance(answer, dns.resolver.NXDOMAIN):
                absent.append(_negative_ttl(answer))
            elif isinstance(answer, dns.exception.DNSException):
                failed = True
            elif isinstance(answer, BaseException):
                raise answer
            elif answer.rrset is None:
                absent.append(answer.chaining_result.minimum_ttl)
            else:
                ttl = answer.chaining_result.minimum_ttl
                found.update((record.to_text(), ttl) for record in answer.rrset)
        # That a host with IPv4 has no IPv6 yet shortens nothing.
        return _Addresses(tuple(found), min(found.values() or absent), failed)

    async def _query(self, name: dns.name.Name, kind: RdataType) -> dns.resolver.Answer:
        async with self._queries:
            return await self._resolver.resolve(name, kind, search=False, raise_on_no_answer=False)


def _nameserver(text: str) -> dns.nameserver.Do53Nameserver:
    host, _, port = text.rpartition(":")
    return dns.nameserver.Do53Nameserver(host.strip("[]"), int(port))


def _name(domain: str) -> dns.name.Name:
    try:
        return dns.name.from_text(domain)
    except dns.exception.DNSException as error:
        kind = FailureKind.FAILURE_KIND_DOMAIN_NOT_FOUND
        raise _NoRoute(kind, f"{domain!r} cannot be a domain name: {_why(error)}") from None


def _text(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()


def _negative_ttl(error: dns.resolver.NXDOMAIN) -> float:
    """How long a name's absence may be believed (RFC 2308 section 5), seconds."""
    responses: dict[dns.name.Name, dns.message.QueryMessage] = error.kwargs["responses"]
    ttls = [response.resolve_chaining().minimum_ttl for response in responses.values()]
    return float(min(ttls, default=_SHORTEST_TTL))


def _why(error: dns.exception.DNSException) -> str:
    if isinstance(error, dns.resolver.LifetimeTimeout):
        return "no answer in time"
    if isinstance(error, dns.resolver.NoNameservers):
        return "the name servers failed"
    return type(error).__name__


def _in_order(addresses: tuple[str, ...]) -> tuple[str, ...]:
    # IPv4 first: receivers know senders by their IPv4 addresses, few hosts have a reputation in IPv6.
    # Within a family the load is spread, which the cache would otherwise take from the name servers.
    shuffled = random.sample(addresses, len(addresses))
    return tuple(sorted(shuffled, key=lambda address: ip_address(address).version))
