"""What all Relays together hold at receiving sites.

    relay:{limits}:site:<name>       hash of a site: an entry for every Relay that holds or wants something
                                     there; and empty_us, the state of the site's bucket of tokens
    relay:{limits}:sites             sorted set: sites by when they were last asked for (ms), for an hour

An entry is nine numbers: end of the lease (ms), sequence of the last statement, connections held,
connections wanted, since when it holds or waits (ms), tokens used and tokens granted in all, since when it
waits for a token (ms, 0: it does not), when it asks again (ms). Once its lease has ended it counts no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from redis.asyncio import Redis

from services.chassis.store import Script, Value
from services.relay.mx_rules import MxRule

_PREFIX = "relay:{limits}:"
# As in reserve.lua.
_LISTED_MS = 3_600_000

_reserve = Script("services.relay.store", "reserve")


@dataclass(frozen=True)
class Statement:
    """What a Relay says about a site: absolute figures, so that saying it again changes nothing.

    `used` and `granted` count tokens since the Relay first asked for the site.
    """

    site: str
    rule: MxRule
    held: int
    wanted: int
    used: int = 0
    granted: int = 0
    more: int = 0  # tokens


@dataclass(frozen=True)
class Grant:
    """What a Relay may have at a site."""

    held: int
    surplus: int  # of the connections held, how many others have a right to
    granted: int  # tokens in all
    again_ms: int  # when to ask for connections again; 0: all that was wanted is there
    ready_ms: int  # the same for tokens


@dataclass(frozen=True)
class SiteUse:
    """A site as it is now, all Relays together."""

    name: str
    connections: int
    relays: int
    tokens: int | None  # None: the site has no rate
    ready_ms: int | None  # when the next token is there; None: one is there now, or there is no rate


def interval_us(rule: MxRule) -> int:
    """Time between two tokens, microseconds, never too short; 0: the site has no rate."""
    return 0 if rule.messages_per_second is None else ceil(1_000_000 / rule.messages_per_second)


def capacity(rule: MxRule) -> int:
    """Most tokens of a site at any time: one second's worth, at least one."""
    return max(1, int(rule.messages_per_second or 0))


class LimitStore:
    """The limits of one store."""

    def __init__(self, store: Redis) -> None:
        self._store = store

    async def reserve(
        self,
        holder: str,
        sequence: int,
        statements: Sequence[Statement],
        *,
        now_ms: int,
        lease_end_ms: int,
        turn_ms: int,
    ) -> list[Grant | None]:
        """State what `holder` holds and wants at sites; gives what it may have until `lease_end_ms`.

        None: a later statement was there before. `turn_ms`: how long a Relay keeps a connection that others
        wait for, where there are fewer connections than Relays.
        """
        args: list[Value] = [now_ms, holder, sequence, lease_end_ms, turn_ms]
        for each in statements:
            args += [each.site, each.rule.connections, interval_us(each.rule), capacity(each.rule)]
            args += [each.held, each.wanted, each.used, each.granted, each.more]
        flat = await _reserve(self._store, [_PREFIX], args)
        return [Grant(*flat[i : i + 5]) if flat[i] >= 0 else None for i in range(0, len(flat), 5)]

    async def names(self, now_ms: int) -> list[str]:
        """Give the sites that were asked for within the last hour, by name."""
        since_ms = now_ms - _LISTED_MS
        asked: Any = await self._store.zrange(f"{_PREFIX}sites", since_ms, "+inf", byscore=True)
        return sorted(name.decode() for name in asked)

    async def use(self, sites: Sequence[tuple[str, MxRule]], now_ms: int) -> list[SiteUse]:
        """Give the state of sites, each with the rule in force."""
        async with self._store.pipeline(transaction=False) as pipeline:
            for name, _ in sites:
                pipeline.hgetall(f"{_PREFIX}site:{name}")
            found = await pipeline.execute()
        return [_use(name, rule, fields, now_ms) for (name, rule), fields in zip(sites, found, strict=True)]


def _use(name: str, rule: MxRule, fields: dict[bytes, bytes], now_ms: int) -> SiteUse:
    entries = [tuple(map(int, text.split())) for field, text in fields.items() if field != b"empty_us"]
    live = [entry for entry in entries if entry[0] > now_ms]
    connections, relays = sum(entry[2] for entry in live), sum(entry[2] > 0 for entry in live)
    interval, most = interval_us(rule), capacity(rule)
    if not interval:
        return SiteUse(name, connections, relays, None, None)
    out = sum(entry[6] - entry[5] for entry in entries)
    full_us = now_ms * 1000 - most * interval
    empty_us = max(int(fields.get(b"empty_us", full_us)), full_us)
    tokens = max(0, (now_ms * 1000 - empty_us) // interval - out)
    # As if those in hand were used now.
    ready_ms = ceil((empty_us + (out + 1) * interval) / 1000)
    return SiteUse(name, connections, relays, tokens, None if tokens else max(ready_ms, now_ms + 1))
