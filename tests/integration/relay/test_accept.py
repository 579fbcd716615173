"""Accepting into the queue: each message once, and every sender gets the first answer."""

from __future__ import annotations

import asyncio

import pytest

from emta.relay.v1.message_pb2 import Acceptance
from services.relay.store.queue import Settlement
from tests.integration.relay.relay_store import LEASE_MS, RelayStore, ids, submitted, told
from tests.support.clock import START_MS


async def test_a_message_accepted_again_gets_the_first_answer_also_when_it_is_finished(
    relay: RelayStore,
) -> None:
    first = submitted()
    assert await relay.accept(first) == [b""]

    while_queued = await relay.accept(submitted(now_ms=START_MS + 1))
    (claimed,) = await relay.claim()
    await relay.queue.settle([Settlement(claimed, None, [told("m1/2")])])
    when_finished = await relay.accept(submitted(now_ms=START_MS + 2))

    for (answer,) in (while_queued, when_finished):
        assert Acceptance.FromString(answer) == first.acceptance
    assert await relay.claim(START_MS + LEASE_MS * 10) == []
    assert await relay.outcomes() == ["m1/1", "m1/2"]


@pytest.mark.parametrize("days", [1, 4, 7, 8])
async def test_a_message_is_known_for_eight_days(relay: RelayStore, days: int) -> None:
    await relay.accept(submitted())

    (again,) = await relay.accept(submitted(), now_ms=START_MS + days * 86_400_000)

    assert again != b""


async def test_a_call_that_stood_still_over_the_turn_of_a_period_finds_what_came_meanwhile(
    relay: RelayStore,
) -> None:
    """Its sender gave up and submitted the message to another Relay."""
    await relay.accept(submitted(), now_ms=START_MS + 4 * 86_400_000)

    (again,) = await relay.accept(submitted(), now_ms=START_MS)

    assert again != b""
    assert len(await relay.claim()) == 1


async def test_a_hundred_at_once_are_queued_once(relay: RelayStore) -> None:
    answers = await asyncio.gather(*(relay.accept(submitted()) for _ in range(100)))

    assert sum(answer == [b""] for answer in answers) == 1
    assert len(await relay.claim()) == 1


async def test_a_message_that_is_twice_in_a_batch_is_queued_once(relay: RelayStore) -> None:
    twice = submitted("m1")

    first, again, other = await relay.accept(twice, twice, submitted("m2"))

    assert (first, other) == (b"", b"")
    assert again == twice.acceptance.SerializeToString()
    assert ids(await relay.claim()) == ["m1", "m2"]
    assert await relay.outcomes() == ["m1/1", "m2/1"]


async def test_of_a_batch_each_domain_is_due_when_its_first_message_is(relay: RelayStore) -> None:
    later = [submitted(f"later{n}", START_MS + 10_000 - n, domain="a.example") for n in range(2)]
    await relay.accept(*later, submitted("now", domain="b.example"))

    assert ids(await relay.claim(START_MS)) == ["now"]
    assert ids(await relay.claim(START_MS + 9_999)) == ["later1"]
    assert ids(await relay.claim(START_MS + 10_000)) == ["later0"]
