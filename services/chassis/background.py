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


async def _nothing() -> None:
    pass


@asynccontextmanager
async def beside(
    work: Callable[[], Awaitable[None]], log: Log, *, then: Callable[[], Awaitable[None]] = _nothing
) -> AsyncIterator[None]:
    """Have `work` done until the block ends (lasting), and `then` something else; both have come to their
    end when this returns."""
    task = asyncio.create_task(lasting(work, log))
    try:
        yield
    finally:
        try:
            # Python 3.11's wait_for, in the store client, can swallow a cancellation: it is said again.
            while not task.done():
                task.cancel()
                await asyncio.wait((task,), timeout=_AGAIN_SECONDS)
        finally:
            await then()
