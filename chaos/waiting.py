"""Waiting on conditions, not on time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

_LOOK_SECONDS = 0.05


async def until(holds: Callable[[], bool], seconds: float) -> bool:
    """Wait until something holds; gives whether it did within `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_LOOK_SECONDS)
    return True
