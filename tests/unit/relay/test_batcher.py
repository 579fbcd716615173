"""Gathering what many want into one call."""

from __future__ import annotations

import asyncio

import pytest

from services.relay.batcher import Batcher


def doubling(calls: list[list[int]], **limits: float) -> Batcher[int, int]:
    async def call(items: list[int]) -> list[int]:
        calls.append(items)
        if 13 in items:
            raise RuntimeError("unlucky")
        return [2 * item for item in items]

    return Batcher(call, **({"max_items": 3, "max_wait_seconds": 0.001} | limits))  # type: ignore[arg-type]


async def test_each_gets_its_own_result_of_a_shared_call() -> None:
    calls: list[list[int]] = []
    batcher = doubling(calls)

    assert await asyncio.gather(*(batcher.submit(n) for n in (1, 2, 3))) == [2, 4, 6]
    assert calls == [[1, 2, 3]]


async def test_what_is_too_few_goes_after_a_while() -> None:
    calls: list[list[int]] = []

    assert await doubling(calls).submit(1) == 2


async def test_a_heavy_item_does_not_join_a_full_call() -> None:
    calls: list[list[int]] = []
    batcher = doubling(calls)
    batcher._weigh, batcher._max_weight = (lambda item: item), 10

    await asyncio.gather(*(batcher.submit(n) for n in (6, 6, 100)))

    assert calls == [[6], [6], [100]]


async def test_a_failed_call_fails_for_all_in_it_and_for_nobody_else() -> None:
    calls: list[list[int]] = []
    batcher = doubling(calls)
    unlucky = [batcher.submit(n) for n in (1, 13, 2)]
    lucky = batcher.submit(4)

    results = await asyncio.gather(*unlucky, lucky, return_exceptions=True)

    assert [isinstance(result, RuntimeError) for result in results] == [True, True, True, False]


async def test_one_who_gives_up_does_not_disturb_the_others() -> None:
    batcher = doubling([])
    impatient, patient = batcher.submit(1), batcher.submit(2)
    impatient.cancel()

    assert await patient == 4
    with pytest.raises(asyncio.CancelledError):
        await impatient
