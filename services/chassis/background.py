"""Work that goes on beside what a service serves, for as long as it serves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from services.chassis.logs import Log

_AGAIN_SECONDS = 1.0


async def lasting(work: Callable[[], Awaitable[None]], log: Log) -> None:
    """Work until cancelled, or until the work itself ends. A defect of ours may cost a second, but not the
    service: without it, the process would look well and do nothing."""
    while True:
        try:
            return await work()
        except Exception as error:
            log.error("work_failed", work=work.__qualname__, error=repr(error))
            await asyncio.sleep(_AGAIN_SECONDS)


@asynccontextmanager
async def beside(log: Log, *works: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Have some work done until the block ends (lasting); it has stopped when this returns."""
    tasks = {asyncio.create_task(lasting(work, log)) for work in works}
    try:
        yield
    finally:
        # Python 3.11's wait_for, in the store client, can swallow a cancellation: it is said again.
        while tasks:
            for task in tasks:
                task.cancel()
            _, tasks = await asyncio.wait(tasks, timeout=_AGAIN_SECONDS)
