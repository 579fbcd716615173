"""The durable queue on a real store."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from emta.feedback.v1.feedback_service_pb2 import RecordOutcomesItem
from emta.problems import Problem
from emta.relay.v1.message_pb2 import Acceptance, Message
from services.relay import submission
from services.relay.store.queue import Claimed, Queue, Settlement
from services.relay.submission import Submission
from tests.support.clock import START_MS

CONTENT = b"From: a@shop.example\r\n\r\nHello\r\n"
LEASE_MS = 30_000


def submitted(message_id: str = "m1", now_ms: int = START_MS) -> Submission:
    message = Message(message_id=message_id, delivery_id="d1", rcpt_to="x@b.example", content=CONTENT)
    return submission.check(
        message, tenant="default", now_ms=now_ms, ehlo_name="mta.example", internal_fields=frozenset()
    )


def told(name: str) -> RecordOutcomesItem:
    return RecordOutcomesItem(producer_key=name)


@pytest.fixture
def queue(store: Redis) -> Queue:
    return Queue(store, shards=1)


async def accept(queue: Queue, *submissions: Submission) -> list[bytes]:
    return await queue.accept(0, [(item, "", told(f"{item.message.message_id}/1")) for item in submissions])


async def claim(queue: Queue, now_ms: int = START_MS, count: int = 10) -> list[Claimed]:
    return (await queue.claim(0, now_ms, now_ms + LEASE_MS, count)).messages


async def keys(queue: Queue) -> list[str]:
    return [item.producer_key for _, item in await queue.outbox(0, 100)]


async def test_a_message_accepted_again_gets_the_first_answer_also_when_it_is_finished(
    queue: Queue,
) -> None:
    first = submitted()
    assert await accept(queue, first) == [b""]

    while_queued = await accept(queue, submitted(now_ms=START_MS + 1))
    (claimed,) = await claim(queue)
    await queue.settle(0, [Settlement(claimed, None, [told("m1/2")])])
    when_finished = await accept(queue, submitted(now_ms=START_MS + 2))

    for (answer,) in (while_queued, when_finished):
        assert Acceptance.FromString(answer) == first.acceptance
    assert await claim(queue, START_MS + LEASE_MS * 10) == []
    assert await keys(queue) == ["m1/1", "m1/2"]


async def test_a_hundred_at_once_are_queued_once(queue: Queue) -> None:
    answers = await asyncio.gather(*(accept(queue, submitted()) for _ in range(100)))

    assert sum(answer == [b""] for answer in answers) == 1
    assert len(await claim(queue)) == 1


async def test_what_is_claimed_is_what_was_accepted(queue: Queue) -> None:
    given = submitted()
    await accept(queue, given)

    (claimed,) = await claim(queue)

    assert claimed.message == given.message
    assert claimed.content == given.content
    assert claimed.deadline_ms == given.deadline_ms
    assert (claimed.tenant, claimed.failed_attempts, claimed.sequence) == ("default", 0, 1)


async def test_nobody_else_gets_a_message_on_lease_until_the_lease_ends(queue: Queue) -> None:
    await accept(queue, submitted())
    (first,) = await claim(queue)

    assert await claim(queue, START_MS + LEASE_MS - 1) == []
    (second,) = await claim(queue, START_MS + LEASE_MS)

    assert first.fence != second.fence


async def test_the_fence_keeps_a_stale_owner_out(queue: Queue) -> None:
    await accept(queue, submitted())
    (stale,) = await claim(queue)
    (owner,) = await claim(queue, START_MS + LEASE_MS)

    assert await queue.settle(0, [Settlement(stale, None, [told("stale")])]) == [False]
    assert await queue.settle(0, [Settlement(owner, None, [told("owner")])]) == [True]
    assert await keys(queue) == ["m1/1", "owner"]


async def test_a_settlement_that_is_repeated_has_one_effect_on_a_finished_message(queue: Queue) -> None:
    await accept(queue, submitted())
    (claimed,) = await claim(queue)
    settlement = Settlement(claimed, None, [told("m1/2")])

    assert await queue.settle(0, [settlement]) == [True]
    assert await queue.settle(0, [settlement]) == [False]
    assert await keys(queue) == ["m1/1", "m1/2"]


async def test_a_renewed_lease_lasts_longer(queue: Queue) -> None:
    await accept(queue, submitted())
    claimed = await claim(queue)

    await queue.renew(claimed, START_MS + 2 * LEASE_MS)

    assert await claim(queue, START_MS + 2 * LEASE_MS - 1) == []
    assert claimed[0].leased_until_ms == START_MS + 2 * LEASE_MS


async def test_a_message_that_is_due_again_keeps_what_was_learned(queue: Queue) -> None:
    await accept(queue, submitted())
    (claimed,) = await claim(queue)
    claimed.failed_attempts, claimed.sequence = 1, 2

    await queue.settle(0, [Settlement(claimed, START_MS + 5_000, [])])

    look = await queue.claim(0, START_MS + 4_999, START_MS, 10)
    assert (look.messages, look.next_look_ms) == ([], START_MS + 5_000)
    (again,) = await claim(queue, START_MS + 5_000)
    assert (again.failed_attempts, again.sequence) == (1, 2)


async def test_nothing_of_a_finished_message_stays_but_its_answer(queue: Queue, store: Redis) -> None:
    await accept(queue, submitted())
    (claimed,) = await claim(queue)
    await queue.settle(0, [Settlement(claimed, None, [])])

    names = sorted(name.split(b":", 2)[2] for name in await store.keys("relay:{s00}:*"))
    assert names == [b"done:default\0d1\0m1", b"outbox"]
    assert await store.ttl("relay:{s00}:done:default\0d1\0m1") > 7 * 86_400


async def test_acknowledged_and_buried_outcomes_leave_the_outbox(queue: Queue, store: Redis) -> None:
    await accept(queue, submitted("m1"), submitted("m2"), submitted("m3"))
    (first, _), (second, item), _ = await queue.outbox(0, 10)

    await queue.acknowledge(0, [first])
    await queue.bury(0, second, item)

    assert await keys(queue) == ["m3/1"]
    assert await store.xlen("relay:{s00}:dead") == 1


async def test_the_number_of_shards_is_fixed_when_the_store_is_first_used(store: Redis) -> None:
    await Queue(store, 8).fix_shards()
    await Queue(store, 8).fix_shards()

    with pytest.raises(Problem) as caught:
        await Queue(store, 4).fix_shards()

    assert caught.value.reason == "SHARDS_MISMATCH"
