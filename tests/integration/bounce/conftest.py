"""Bounce against the tests' store."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis


@pytest.fixture
def environ(store: Redis, store_url: str) -> dict[str, str]:
    """Settings of a Bounce with an empty store."""
    return {"EMTA_BOUNCE_LISTEN": "127.0.0.1:0", "EMTA_BOUNCE_REDIS_URL": store_url}
