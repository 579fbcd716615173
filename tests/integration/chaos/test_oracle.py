"""The oracle notices what it is there to notice. Its witness is a real Feedback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from redis.asyncio import Redis

from chaos.oracle import Oracle, Verdict
from chaos.sites import Delivery, Site
from chaos.waiting import until
from emta.channel import connect
from emta.client import Client
from emta.feedback.v1.feedback_service_pb2 import RecordOutcomesRequest
from emta.feedback.v1.feedback_service_pb2_grpc import FeedbackServiceStub
from emta.feedback.v1.log_pb2 import LogEvent
from services.chassis.settings import load_settings
from services.feedback.app import running
from services.feedback.settings import FeedbackSettings
from tests.support.clock import ManualClock
from tests.support.outcomes import item, outcome

SITE = Site("a.example", "127.0.0.1")


class Bench:
    """An oracle, and a Feedback that is told what a test wants."""

    def __init__(self, client: Client, address: str) -> None:
        self.oracle = Oracle(client, "d1")
        self._address = address
        self.accepted: list[str] = []
        self.deliveries: list[Delivery] = []

    async def tell(self, message: str, *kinds: str) -> None:
        """Report the outcomes of an accepted message, in sequence."""
        self.accepted.append(message)
        items = [item(outcome(kind, n, message=message)) for n, kind in enumerate(kinds, 1)]
        async with connect(self._address) as channel:
            await FeedbackServiceStub(channel).RecordOutcomes(
                RecordOutcomesRequest(producer="p", items=items)
            )

    def deliver(self, message: str, *, signed: bool = True) -> Delivery:
        now = time.monotonic()
        self.deliveries.append(Delivery(message, SITE, now, now, signed, "mta0.shop.example", now))
        return self.deliveries[-1]

    async def verdict(self, *excused: Delivery) -> Verdict:
        by_id: dict[str, list[Delivery]] = {}
        for delivery in self.deliveries:
            by_id.setdefault(delivery.message_id, []).append(delivery)
        return await self.oracle.verdict(self.accepted, by_id, excused)


@pytest.fixture
async def bench(store: Redis, store_url: str, clock: ManualClock) -> AsyncIterator[Bench]:
    environ = {"EMTA_FEEDBACK_REDIS_URL": store_url, "EMTA_FEEDBACK_LISTEN": "127.0.0.1:0"}
    async with (
        running(load_settings(FeedbackSettings, environ), clock) as server,
        Client(feedback=server.address) as client,
    ):
        await client.open_delivery("d1")
        bench = Bench(client, server.address)
        watching = asyncio.create_task(bench.oracle.watch())
        yield bench
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


async def test_where_all_is_well_it_finds_nothing(bench: Bench) -> None:
    await bench.tell("ok-1", "taken_into_account", "sent")
    await bench.tell("unknown-2", "taken_into_account", "failure")
    bench.deliver("ok-1")

    assert await bench.verdict() == Verdict(accepted=2, sent=1, failed=1)


async def test_an_accepted_message_without_a_final_status_is_lost(bench: Bench) -> None:
    await bench.tell("ok-1", "taken_into_account", "deferral")
    bench.deliver("ok-1")

    assert (await bench.verdict()).lost == ["ok-1"]


async def test_an_accepted_message_that_the_log_does_not_know_is_lost(bench: Bench) -> None:
    await bench.tell("ok-1", "taken_into_account", "sent")
    bench.deliver("ok-1")
    bench.accepted.append("ok-2")

    verdict = await bench.verdict()

    assert verdict.lost == ["ok-2"]
    assert verdict.contradictions  # the figures lack it too


async def test_deliveries_beyond_the_first_count_and_only_what_could_not_be_recorded_is_excused(
    bench: Bench,
) -> None:
    for message in ("ok-1", "ok-2"):
        await bench.tell(message, "taken_into_account", "sent")
    cut_off = bench.deliver("ok-1")
    bench.deliver("ok-1")
    bench.deliver("ok-2")
    bench.deliver("ok-2")

    verdict = await bench.verdict(cut_off)

    assert [delivery.message_id for delivery in verdict.duplicates] == ["ok-1", "ok-2"]
    assert verdict.unexcused == ["ok-2"]


@pytest.mark.parametrize(
    ("message", "kinds", "delivered", "contradiction"),
    [
        ("ok-1", ("taken_into_account", "sent"), False, "Sent without a delivery"),
        ("unknown-1", ("taken_into_account", "failure"), True, "Failed though delivered"),
        ("ok-1", ("taken_into_account", "failure"), False, "Failed without reason"),
        ("unknown-1", ("taken_into_account", "sent"), True, "Sent though it had to fail"),
    ],
)
async def test_final_statuses_have_to_agree_with_the_journal(
    bench: Bench, message: str, kinds: tuple[str, ...], delivered: bool, contradiction: str
) -> None:
    await bench.tell(message, *kinds)
    if delivered:
        bench.deliver(message)

    assert any(line.startswith(contradiction) for line in (await bench.verdict()).contradictions)


async def test_what_nobody_had_accepted_may_not_be_delivered(bench: Bench) -> None:
    bench.deliver("ok-1")

    assert (await bench.verdict()).contradictions == ["delivered though never accepted: 1 (ok-1)"]


async def test_nothing_may_leave_unsigned(bench: Bench) -> None:
    await bench.tell("ok-1", "taken_into_account", "sent")
    bench.deliver("ok-1", signed=False)

    assert (await bench.verdict()).contradictions == ["delivered unsigned: 1 (ok-1)"]


async def test_a_word_after_the_final_one_is_a_contradiction(bench: Bench) -> None:
    await bench.tell("ok-1", "taken_into_account", "sent", "failure")
    bench.deliver("ok-1")
    assert await bench.oracle.until_final(lambda: bench.accepted, 10)
    await _until_position(bench, 3)

    assert (await bench.verdict()).contradictions == ["an outcome after the final status: 1 (ok-1)"]


async def test_outcomes_out_of_sequence_and_gaps_in_the_log_are_contradictions(bench: Bench) -> None:
    await bench.tell("ok-1", "taken_into_account", "sent")
    bench.deliver("ok-1")
    await _until_position(bench, 2)
    bench.oracle.note(LogEvent(position=4, outcome=outcome("complaint", 4, message="ok-1")))

    assert (await bench.verdict()).contradictions == [
        "outcomes out of sequence: 1 (ok-1)",
        "gaps in the positions of the log: 1",
    ]


async def test_recovery_counts_from_the_end_of_the_fault_to_the_last_final_status(bench: Bench) -> None:
    oracle = bench.oracle
    oracle.final = {"early": 9.0, "orphan": 13.5, "later": 20.0}

    assert oracle.recovery_seconds({"early": 8.0, "orphan": 9.5, "later": 19.0}, since=10.0) == 3.5
    assert oracle.recovery_seconds({"early": 8.0}, since=10.0) == 0.0


async def _until_position(bench: Bench, position: int) -> None:
    assert await until(lambda: bench.oracle.position >= position, 10)
