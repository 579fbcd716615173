"""The outbox to Feedback: what it holds gets there, however much it is, whatever Feedback answers first."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from redis.asyncio import Redis

from emta.feedback.v1.feedback_service_pb2 import (
    Recorded,
    RecordOutcomesItem,
    RecordOutcomesRequest,
    RecordOutcomesResult,
)
from emta.feedback.v1.outcome_pb2 import Outcome, TakenIntoAccount
from emta.problems import failed_precondition, unavailable
from services.chassis.settings import load_settings
from services.feedback import app as feedback
from services.feedback.settings import FeedbackSettings
from services.relay import reporter as reporter_module
from services.relay.peers import Peers, connected
from services.relay.reporter import Reporter
from services.relay.shards import Shards
from services.relay.store.accept import Accepting
from services.relay.store.owners import Owners
from tests.integration.relay.relay_store import RelayStore, submitted
from tests.support.clock import START_MS, ManualClock

OUT_OF_ORDER = failed_precondition("OUTCOME_OUT_OF_ORDER", "outcome 2 waits for 1")
BUSY = unavailable("LEDGER_BUSY", "others change the same message")


@pytest.fixture
def relay(store: Redis) -> RelayStore:
    return RelayStore(store, shards=2, outbox_max=10_000)


@pytest.fixture
async def peers(store: Redis, store_url: str, clock: ManualClock) -> AsyncIterator[Peers]:
    """Of which Feedback runs."""
    environ = {"EMTA_FEEDBACK_LISTEN": "127.0.0.1:0", "EMTA_FEEDBACK_REDIS_URL": store_url}
    async with (
        feedback.running(load_settings(FeedbackSettings, environ), clock) as server,
        connected("127.0.0.1:1", "127.0.0.1:1", server.address) as peers,
    ):
        yield peers


@pytest.fixture
async def reporter(store: Redis, relay: RelayStore, clock: ManualClock, peers: Peers) -> Reporter:
    shards = Shards(Owners(store, 2), clock, "relay", 30.0)
    await shards.share()
    return Reporter(relay.outbox, shards, peers)


def outcome(name: str, octets: int = 0) -> RecordOutcomesItem:
    told = Outcome(
        delivery_id="d1",
        message_id=name,
        sequence=1,
        recipient="x@b.example",
        taken_into_account=TakenIntoAccount(metadata={"k": "v" * octets}),
    )
    told.event_time.FromMilliseconds(START_MS)
    return RecordOutcomesItem(producer_key=name, outcome=told)


async def fill(relay: RelayStore, outcomes: int, octets: int = 0) -> None:
    names = [f"m{number}" for number in range(outcomes)]
    for start in range(0, outcomes, 100):
        batch = [
            Accepting(submitted(name), "", outcome(name, octets)) for name in names[start : start + 100]
        ]
        await relay.acceptor.accept(batch, START_MS)


async def waiting(relay: RelayStore) -> int:
    return sum((await by_shard(relay)).values())


async def by_shard(relay: RelayStore) -> dict[int, int]:
    """How many outcomes wait."""
    outbox = await relay.outbox.oldest([0, 1], 10_000)
    return {
        shard: sum(len(RecordOutcomesRequest.FromString(items).items) for _, items in entries)
        for shard, entries in outbox.items()
    }


async def test_more_octets_than_fit_in_a_call_get_there(relay: RelayStore, reporter: Reporter) -> None:
    await fill(relay, 900, octets=40_000)

    await reporter.flush()

    assert await waiting(relay) == 0


async def test_no_shard_waits_until_another_has_nothing_left(relay: RelayStore, reporter: Reporter) -> None:
    await fill(relay, 6_000)
    before = await by_shard(relay)

    await reporter.report()
    await reporter.report()

    after = await by_shard(relay)
    assert all(after[shard] < before[shard] for shard in (0, 1)), (before, after)


async def test_who_stops_does_not_wait_until_others_have_nothing_to_tell(
    relay: RelayStore, reporter: Reporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their outcomes come into our shards as long as they work, or Feedback has a day's to take."""
    await fill(relay, 10)
    told = Peers.record
    names = itertools.count(10)

    async def and_more_comes(self: Peers, request: RecordOutcomesRequest) -> Sequence[RecordOutcomesResult]:
        results = await told(self, request)
        await relay.accept(submitted(f"m{next(names)}"))
        return results

    monkeypatch.setattr(Peers, "record", and_more_comes)
    async with asyncio.timeout(20):
        await reporter.flush()
    monkeypatch.undo()
    await fill(relay, 1_000)
    monkeypatch.setattr(reporter_module, "_FLUSH_SECONDS", 0.0)
    await reporter.flush()

    assert await waiting(relay) > 500


async def test_outcomes_that_had_to_wait_fit_in_a_call_with_others(
    relay: RelayStore, reporter: Reporter, peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(relay, 900)

    async def too_early(self: Any, request: RecordOutcomesRequest) -> Sequence[RecordOutcomesResult]:
        return [RecordOutcomesResult(error=OUT_OF_ORDER.to_status()) for _ in request.items]

    with monkeypatch.context() as patched:
        patched.setattr(Peers, "record", too_early)
        await reporter.report()
    assert await waiting(relay) == 900
    await fill(relay, 1_200)

    await reporter.flush()

    assert await waiting(relay) == 0


async def test_an_outcome_that_feedback_cannot_take_now_is_offered_until_it_can(
    relay: RelayStore, reporter: Reporter, store: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(relay, 10)

    async def busy(self: Any, request: RecordOutcomesRequest) -> Sequence[RecordOutcomesResult]:
        return [
            RecordOutcomesResult(error=BUSY.to_status())
            if item.outcome.message_id == "m1"
            else RecordOutcomesResult(recorded=Recorded())
            for item in request.items
        ]

    with monkeypatch.context() as patched:
        patched.setattr(Peers, "record", busy)
        for _ in range(20):
            await reporter.report()
    assert await waiting(relay) == 1

    await reporter.flush()

    assert await waiting(relay) == 0
    assert not [name async for name in store.scan_iter("relay:*:dead")]
