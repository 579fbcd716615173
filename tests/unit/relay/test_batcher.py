"""Gathering what comes one by one into batches."""

from __future__ import annotations

import asyncio

import pytest

from services.relay.batcher import Batcher
from tests.support.eventually import eventually


class Calls:
    """Work that writes down what it got."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    async def __call__(self, batch: list[int]) -> None:
        self.batches.append(batch)
        if 13 in batch:
            raise RuntimeError("unlucky")

    async def until(self, *batches: list[int]) -> None:
        async def done() -> bool:
            return len(self.batches) >= len(batches)

        await eventually(done, "the batches")
        assert self.batches == list(batches)


async def test_a_full_batch_goes_at_once() -> None:
    calls = Calls()
    batcher = Batcher(calls, max_items=3, max_wait_seconds=3_600)
    for number in range(1, 7):
        batcher.add(number)

    await calls.until([1, 2, 3], [4, 5, 6])


async def test_what_is_too_few_goes_after_a_while() -> None:
    calls = Calls()
    batcher = Batcher(calls, max_items=3, max_wait_seconds=0.001)
    batcher.add(1)
    batcher.add(2)

    await calls.until([1, 2])


async def test_a_heavy_item_does_not_join_a_full_batch() -> None:
    calls = Calls()
    batcher = Batcher(calls, max_items=100, max_wait_seconds=0.001, weigh=lambda item: item, max_weight=10)
    for weight in (4, 5, 6, 4, 1):
        batcher.add(weight)

    await calls.until([4, 5], [6, 4], [1])


async def test_a_batch_that_fails_hinders_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    calls = Calls()
    batcher = Batcher(calls, max_items=1, max_wait_seconds=1)
    batcher.add(13)
    batcher.add(2)

    await calls.until([13], [2])


async def test_batches_are_worked_on_side_by_side() -> None:
    both = asyncio.Barrier(2)
    done: list[int] = []

    async def work(batch: list[int]) -> None:
        await both.wait()
        done.extend(batch)

    batcher = Batcher(work, max_items=1, max_wait_seconds=1)
    batcher.add(1)
    batcher.add(2)

    async def finished() -> bool:
        return len(done) == 2

    await eventually(finished, "both batches")
