"""Waiting on conditions."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

# Far longer than anything takes; only a failing test waits for it.
_PATIENCE_SECONDS = 30.0


async def eventually(condition: Callable[[], Awaitable[T]], what: str = "") -> T:
    """Give the first true value of `condition`; fails when there is none in half a minute."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not (value := await condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what or condition}"
        await asyncio.sleep(0.01)
    return value
