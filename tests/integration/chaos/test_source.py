"""The source of the fault suite."""

import asyncio

import pytest

from chaos.source import Source


async def test_a_row_that_fails_submits_no_more() -> None:
    # Nobody listens there: what was submitted would never be answered.
    source = Source("127.0.0.1:1", ["site.example"])
    async with asyncio.timeout(20):
        with pytest.raises(RuntimeError):
            async with source.load(1_000_000):
                raise RuntimeError
    assert source.unanswered == 0
    await source.close()


async def test_what_was_submitted_and_not_answered_is_counted_in_messages() -> None:
    source = Source("127.0.0.1:1", ["site.example"])

    for size in (3, 4):
        source.submit_in_background([source.next() for _ in range(size)])
    assert source.unanswered == 7

    await source.close()
    assert source.unanswered == 0
