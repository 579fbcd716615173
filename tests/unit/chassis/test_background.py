"""Work beside a service."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from services.chassis.background import beside
from services.chassis.logs import Log

LOG = Log("test")


async def test_it_has_stopped_when_the_block_ends_though_a_cancellation_is_swallowed() -> None:
    working, stopped = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        working.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async with asyncio.timeout(20), beside(work, LOG):
        await working.wait()

    assert stopped.is_set()


async def test_a_defect_is_logged_and_the_work_goes_on() -> None:
    begun = 0
    again = asyncio.Event()

    async def work() -> None:
        nonlocal begun
        begun += 1
        if begun == 1:
            raise KeyError("a defect")
        again.set()
        await asyncio.Event().wait()

    async with asyncio.timeout(20), beside(work, LOG):
        await again.wait()

    assert begun == 2


async def test_what_is_to_follow_comes_when_the_work_has_stopped() -> None:
    steps: list[str] = []

    async def work() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            steps.append("stopped")

    async def then() -> None:
        steps.append("then")

    async with beside(work, LOG, then=then):
        await asyncio.sleep(0)

    assert steps == ["stopped", "then"]
