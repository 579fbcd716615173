"""The keys of the queue, which lies in shards. All keys of a shard share its hash tag.

    relay:relays                      sorted set: Relays by the end of their announcement (ms)
    relay:shards                      number of shards, fixed when the store is first used
    relay:{s07}:number                the last message's number; a message's name within its shard
    relay:{s07}:message:<number>      its record: what never changes, and the compressed content
    relay:{s07}:progress:<number>     what attempts have learned
    relay:{s07}:due:<domain>          sorted set: numbers by the time when they are due (ms)
    relay:{s07}:domains               sorted set: recipient domains by the time when their first is due
    relay:{s07}:leased                sorted set: numbers by the end of their lease (ms)
    relay:{s07}:leases                hash: number -> "<fence> <domain>"
    relay:{s07}:crashes               hash: number -> how often its owner died with it
    relay:{s07}:suspects              sorted set: numbers whose owners died more than once, by the end
                                      of their validity (ms)
    relay:{s07}:dictionary:<name>     hash: content that others are compressed against, messages that use it
    relay:{s07}:known:<period>:<b>    hash: digest -> acceptance, of all messages accepted in a period
    relay:{s07}:outbox                stream: outcomes that Feedback has not acknowledged, many an entry
    relay:{s07}:outbox_size           number of outcomes in it
    relay:{s07}:dead                  stream: outcomes that Feedback refused for good
    relay:{s07}:replicated            written behind what replicas must have
    relay:{s07}:owner                 hash: the Relay that works on the shard first, and reports for it

A message is in exactly one of due, leased and suspects until it is finished. Every change is one script.
"""

from __future__ import annotations

from collections.abc import Iterable

RELAYS, SHARDS = "relay:relays", "relay:shards"


def prefix(shard: int) -> str:
    """What all keys of a shard begin with."""
    return f"relay:{{s{shard:02d}}}:"


def by_shard(shards: Iterable[int]) -> dict[int, list[int]]:
    """Give, by shard, the positions of what belongs to it."""
    positions: dict[int, list[int]] = {}
    for position, shard in enumerate(shards):
        positions.setdefault(shard, []).append(position)
    return positions
