"""The whole stack on a Cluster: the shards of the queue on its nodes, the ledger on one of them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from emta.feedback.v1.feedback_service_pb2 import MessageQuery
from emta.feedback.v1.log_pb2 import LogStatus
from tests.e2e.conftest import World, message
from tests.e2e.false_replies import requalify, window


@pytest.fixture
def store_url(cluster_url: str) -> str:
    return cluster_url


async def test_messages_of_all_shards_are_delivered_reported_and_forgotten(
    world: World, store: Redis
) -> None:
    good = [message("ok@alpha.example", f"m{number}") for number in range(40)]
    bad = [message("user-unknown@alpha.example", f"b{number}") for number in range(10)]
    await world.client.open_delivery("d1", to_deliver=50)
    await world.submit(*good, *bad)
    await world.client.until_reported("d1", 50)
    await world.client.close_delivery("d1")

    events = await world.events()

    ends = [event.status_after for event in events]
    assert ends.count(LogStatus.LOG_STATUS_SENT) == 40
    assert ends.count(LogStatus.LOG_STATUS_FAILED) == 10
    assert [event.position for event in events] == list(range(1, 101))
    assert len(world.receiver.journal.accepted("ok@alpha.example")) == 40
    assert [key async for key in store.scan_iter("*:message:*")] == []


async def test_failures_are_found_and_corrected(world: World) -> None:
    await world.submit(*(message("user-unknown@alpha.example", f"b{number}") for number in range(10)))
    for number in range(10):
        await world.until(LogStatus.LOG_STATUS_FAILED, f"b{number}")
    now = datetime.fromtimestamp(world.clock.now_ms() / 1000, UTC)
    wanted = window(now - timedelta(hours=1), now + timedelta(hours=1), domains=["alpha.example"])

    done = await requalify(world, wanted)

    assert done.corrected == 10
    assert [run.corrected async for run in world.client.requalifications()] == [10]


async def test_a_message_is_found_by_its_recipient(world: World) -> None:
    await world.submit(message("ok@alpha.example"))
    await world.until(LogStatus.LOG_STATUS_SENT)

    found = await world.client.find(MessageQuery(recipient="ok@alpha.example"))

    assert [entry.message_id for entry in found] == ["m1"]
