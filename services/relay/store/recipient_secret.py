"""What makes recipients' keys ours: drawn once a store, the same for all its Relays.

    relay:recipient_secret   32 octets

Whoever loses it loses what Bounce remembers of recipients, and nothing else.
"""

from __future__ import annotations

import secrets
from typing import Any

from redis.asyncio import Redis

_KEY, _OCTETS = "relay:recipient_secret", 32


async def recipient_secret(store: Redis) -> bytes:
    """Give the secret; the first who asks draws it. Raises RedisError."""
    await store.set(_KEY, secrets.token_bytes(_OCTETS), nx=True)
    found: Any = await store.get(_KEY)
    return bytes(found)
