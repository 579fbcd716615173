"""Work that goes on as long as the service does."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from services.chassis.logs import Log

_log = Log("relay")
_AGAIN_SECONDS = 1.0


async def lasting(work: Callable[[], Awaitable[None]]) -> None:
    """Work until cancelled, or until the work itself ends. A defect of ours may cost a second, but not the
    service: without it, the process would look well and do nothing."""
    while True:
        try:
            return await work()
        except Exception as error:
            _log.error("work_failed", work=work.__qualname__, error=repr(error))
            await asyncio.sleep(_AGAIN_SECONDS)
