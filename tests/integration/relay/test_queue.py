"""The durable queue on a real store."""

from __future__ import annotations

import asyncio
import dataclasses
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis, RedisCluster
from redis.exceptions import ConnectionError

from emta.bounce.v1.smtp_reply_pb2 import SmtpReply
from emta.feedback.v1.feedback_service_pb2 import RecordOutcomesItem, RecordOutcomesRequest
from emta.problems import Problem
from emta.relay.v1.message_pb2 import Acceptance, Message
from services.chassis import store as stores
from services.relay import submission
from services.relay.store import queue as queue_module
from services.relay.store.queue import Accepting, Appetite, Queue, Reported, Settlement
from services.relay.store.record import Claimed
from services.relay.submission import Submission
from tests.support.clock import START_MS

CONTENT = b"From: a@shop.example\r\n\r\nHello\r\n"
LEASE_MS = 30_000
HUNGRY = Appetite(messages=100, octets=10**9, of_a_domain=100, exceptions={}, suspect=True)


def submitted(
    message_id: str = "m1",
    now_ms: int = START_MS,
    *,
    domain: str = "b.example",
    content: bytes = CONTENT,
    validity: int | None = None,
) -> Submission:
    message = Message(message_id=message_id, delivery_id="d1", rcpt_to=f"x@{domain}", content=content)
    if validity is not None:
        message.validity.seconds = validity
    return submission.check(
        message, tenant="default", now_ms=now_ms, ehlo_name="mta.example", internal_fields=frozenset()
    )


def told(name: str) -> RecordOutcomesItem:
    return RecordOutcomesItem(producer_key=name)


@pytest.fixture(params=["store_url", "cluster_url"])
def any_store_url(request: pytest.FixtureRequest) -> str:
    """One server, and a Cluster: the queue is the same."""
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture
async def store(any_store_url: str) -> AsyncIterator[Redis]:
    async with stores.connect(any_store_url, 5.0) as client:
        await client.flushall()
        yield client


@pytest.fixture
def queue(store: Redis) -> Queue:
    return Queue(store, shards=1, outbox_max=1_000)


async def accept(queue: Queue, *submissions: Submission, now_ms: int = START_MS) -> list[bytes]:
    batch = [Accepting(item, "", told(f"{item.message.message_id}/1")) for item in submissions]
    return await queue.accept(batch, now_ms)


async def claim(queue: Queue, now_ms: int = START_MS, appetite: Appetite = HUNGRY) -> list[Claimed]:
    return (await queue.claim([0], now_ms, now_ms + LEASE_MS, appetite)).messages


async def outcomes(queue: Queue) -> list[str]:
    request = RecordOutcomesRequest()
    for _, items in (await queue.outbox([0], 100))[0]:
        request.MergeFromString(items)
    return [item.producer_key for item in request.items]


async def names(store: Redis, pattern: str) -> list[bytes]:
    return [name async for name in store.scan_iter(pattern)]


def ids(claimed: list[Claimed]) -> list[str]:
    return [message.message.message_id for message in claimed]


async def test_a_message_accepted_again_gets_the_first_answer_also_when_it_is_finished(
    queue: Queue,
) -> None:
    first = submitted()
    assert await accept(queue, first) == [b""]

    while_queued = await accept(queue, submitted(now_ms=START_MS + 1))
    (claimed,) = await claim(queue)
    await queue.settle([Settlement(claimed, None, [told("m1/2")])])
    when_finished = await accept(queue, submitted(now_ms=START_MS + 2))

    for (answer,) in (while_queued, when_finished):
        assert Acceptance.FromString(answer) == first.acceptance
    assert await claim(queue, START_MS + LEASE_MS * 10) == []
    assert await outcomes(queue) == ["m1/1", "m1/2"]


@pytest.mark.parametrize("days", [1, 4, 7, 8])
async def test_a_message_is_known_for_eight_days(queue: Queue, days: int) -> None:
    await accept(queue, submitted())

    (again,) = await accept(queue, submitted(), now_ms=START_MS + days * 86_400_000)

    assert again != b""


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
    assert claimed.body_sha256 == given.body_sha256
    assert claimed.deadline_ms == given.deadline_ms
    assert (claimed.tenant, claimed.failed_attempts, claimed.sequence) == ("default", 0, 1)


async def test_nobody_else_gets_a_message_on_lease_until_the_lease_ends(queue: Queue) -> None:
    await accept(queue, submitted())
    (first,) = await claim(queue)

    assert await claim(queue, START_MS + LEASE_MS - 1) == []
    (second,) = await claim(queue, START_MS + LEASE_MS)

    assert first.fence != second.fence
    assert (first.crashes, second.crashes) == (0, 1)


async def test_the_fence_keeps_a_stale_owner_out(queue: Queue) -> None:
    await accept(queue, submitted())
    (stale,) = await claim(queue)
    (owner,) = await claim(queue, START_MS + LEASE_MS)

    assert await queue.settle([Settlement(stale, None, [told("stale")])]) == [False]
    assert await queue.settle([Settlement(owner, None, [told("owner")])]) == [True]
    assert await outcomes(queue) == ["m1/1", "owner"]


async def test_a_settlement_that_is_repeated_has_one_effect_on_a_finished_message(queue: Queue) -> None:
    await accept(queue, submitted())
    (claimed,) = await claim(queue)
    settlement = Settlement(claimed, None, [told("m1/2")])

    assert await queue.settle([settlement]) == [True]
    assert await queue.settle([settlement]) == [False]
    assert await outcomes(queue) == ["m1/1", "m1/2"]


async def test_a_renewed_lease_lasts_longer(queue: Queue) -> None:
    await accept(queue, submitted())
    claimed = await claim(queue)

    assert await queue.renew(claimed, START_MS + 2 * LEASE_MS) == []

    assert await claim(queue, START_MS + 2 * LEASE_MS - 1) == []
    assert claimed[0].leased_until_ms == START_MS + 2 * LEASE_MS


async def test_a_lease_that_another_holds_cannot_be_renewed(queue: Queue) -> None:
    await accept(queue, submitted())
    stale = await claim(queue)
    await claim(queue, START_MS + LEASE_MS)

    assert await queue.renew(stale, START_MS + 5 * LEASE_MS) == stale

    assert ids(await claim(queue, START_MS + 2 * LEASE_MS)) == ["m1"]


async def test_a_message_that_is_due_again_keeps_what_was_learned(queue: Queue) -> None:
    await accept(queue, submitted())
    (claimed,) = await claim(queue)
    claimed.failed_attempts, claimed.sequence = 1, 2

    await queue.settle([Settlement(claimed, START_MS + 5_000, [])])

    look = await queue.claim([0], START_MS + 4_999, START_MS, HUNGRY)
    assert (look.messages, look.next_look_ms) == ([], START_MS + 5_000)
    (again,) = await claim(queue, START_MS + 5_000)
    assert (again.failed_attempts, again.sequence) == (1, 2)


async def test_no_domain_gets_more_than_its_part(queue: Queue) -> None:
    await accept(queue, *(submitted(f"a{n}", domain="a.example") for n in range(5)))
    await accept(queue, *(submitted(f"b{n}", domain="b.example") for n in range(5)))
    appetite = dataclasses.replace(HUNGRY, of_a_domain=3, exceptions={"b.example": 1})

    assert ids(await claim(queue, appetite=appetite)) == ["a0", "a1", "a2", "b0"]


async def test_a_domain_that_takes_nothing_hinders_no_other(queue: Queue) -> None:
    await accept(queue, *(submitted(f"a{n}", domain="a.example") for n in range(200)))
    await accept(queue, submitted("b0", START_MS + 1, domain="b.example"))
    appetite = dataclasses.replace(HUNGRY, exceptions={"a.example": 0})

    assert ids(await claim(queue, START_MS + 1, appetite)) == ["b0"]


async def test_no_more_octets_are_claimed_than_asked_for(queue: Queue) -> None:
    large = CONTENT + os.urandom(20_000).hex().encode() + b"\r\n"
    large = b"\r\n".join(large[at : at + 900] for at in range(0, len(large), 900))
    await accept(queue, *(submitted(f"m{n}", content=large) for n in range(5)))

    assert len(await claim(queue, appetite=dataclasses.replace(HUNGRY, octets=1_000))) == 1


async def test_what_owners_die_of_twice_is_given_out_alone(queue: Queue) -> None:
    await accept(queue, *(submitted(f"m{n}") for n in range(3)))
    now_ms = START_MS
    for _ in range(2):
        assert len(await claim(queue, now_ms)) == 3
        now_ms += LEASE_MS

    (suspect,) = await claim(queue, now_ms)
    nothing = await claim(queue, now_ms, dataclasses.replace(HUNGRY, suspect=False))
    (other,) = await claim(queue, now_ms)

    assert suspect.crashes == other.crashes == 2
    assert nothing == []
    assert suspect.number != other.number


async def test_a_suspect_that_has_expired_waits_for_no_other(queue: Queue) -> None:
    short = submitted("m2", validity=90)
    await accept(queue, submitted("m1"), short)
    now_ms = START_MS
    for _ in range(2):
        assert len(await claim(queue, now_ms)) == 2
        now_ms += LEASE_MS
    at_hand = dataclasses.replace(HUNGRY, suspect=False)

    look = await queue.claim([0], short.deadline_ms - 1, short.deadline_ms + LEASE_MS, at_hand)
    assert (look.messages, look.next_look_ms) == ([], short.deadline_ms)

    assert ids(await claim(queue, short.deadline_ms, at_hand)) == ["m2"]


async def test_suspects_of_several_shards_are_given_out_one_by_one(store: Redis) -> None:
    queue, shards, now_ms = Queue(store, shards=8, outbox_max=1_000), range(8), START_MS
    await accept(queue, *(submitted(f"m{n}") for n in range(16)))
    for _ in range(2):
        assert len((await queue.claim(shards, now_ms, now_ms + LEASE_MS, HUNGRY)).messages) == 16
        now_ms += LEASE_MS

    given = []
    while len(given) < 16:
        look = await queue.claim(shards, now_ms, now_ms + LEASE_MS, HUNGRY)
        assert len(look.messages) == 1 or look.next_look_ms == now_ms
        assert len(look.messages) <= 1
        given += ids(look.messages)

    assert sorted(given) == sorted(f"m{n}" for n in range(16))


async def test_what_a_claim_without_answer_leased_is_given_out_again_without_blame(
    store: Redis, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    await accept(queue, submitted("m1"), submitted("m2"))
    carried_out = queue_module._claim.each

    async def answer_lost(*args: Any, **kwargs: Any) -> list[Any]:
        await carried_out(*args, **kwargs)
        raise ConnectionError("reset")

    for _ in range(3):
        with monkeypatch.context() as patched:
            patched.setattr(queue_module._claim, "each", answer_lost)
            with pytest.raises(ConnectionError):
                await claim(queue)

    claimed = await claim(queue)

    assert sorted(ids(claimed)) == ["m1", "m2"]
    assert [message.crashes for message in claimed] == [0, 0]
    assert await claim(queue) == []
    assert await queue.settle([Settlement(message, None, []) for message in claimed]) == [True, True]


async def test_what_was_claimed_while_its_dictionary_did_not_come_is_given_again_without_blame(
    store: Redis, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = CONTENT + b"".join(b"line %d of a longer message\r\n" % n for n in range(1_000))
    given = [submitted(f"m{n}", content=content) for n in range(10)]
    await accept(queue, *given)
    other = Queue(store, shards=1, outbox_max=1_000)

    async def away(*args: Any) -> None:
        raise ConnectionError("reset")

    with monkeypatch.context() as patched:
        patched.setattr(store, "hget", away)
        with pytest.raises(ConnectionError):
            await claim(other)

    claimed = await claim(other)

    assert sorted(m.content for m in claimed) == sorted(item.content for item in given)
    assert [message.crashes for message in claimed] == [0] * 10


@pytest.mark.parametrize("part", ["message", "progress"])
async def test_a_record_that_cannot_be_read_hinders_no_other(queue: Queue, store: Redis, part: str) -> None:
    await accept(queue, submitted("m1"))
    (claimed,) = await claim(queue)
    claimed.reply = SmtpReply(text="x" * 100)
    await queue.settle([Settlement(claimed, START_MS, [])])
    (name,) = await names(store, f"relay:{{s00}}:{part}:*")
    await store.setrange(name, 80, b"\xff" * 16)
    await accept(queue, submitted("m2"))

    assert ids(await claim(queue)) == ["m2"]


async def test_in_a_full_store_what_was_reported_goes_and_relays_stay_known(
    store: Redis, queue: Queue
) -> None:
    await accept(queue, submitted())
    ((name, _),) = (await queue.outbox([0], 10))[0]
    await _set_everywhere(store, "1")
    try:
        await queue.acknowledge({0: Reported([name], 1, again=[told("m1/1")], refused=[told("m1/2")])})
        assert await queue.announce("a", START_MS, START_MS + 1) == 1
    finally:
        await _set_everywhere(store, "0")

    assert await outcomes(queue) == ["m1/1"]


async def _set_everywhere(store: Redis, maxmemory: str) -> None:
    node: dict[str, Any] = (
        {"target_nodes": RedisCluster.PRIMARIES} if isinstance(store, RedisCluster) else {}
    )
    await store.config_set("maxmemory", maxmemory, **node)


async def test_an_acknowledgement_that_is_repeated_counts_once(store: Redis, queue: Queue) -> None:
    await accept(queue, submitted("m1"), submitted("m2"))
    ((name, _),) = (await queue.outbox([0], 10))[0]
    for _ in range(2):
        await queue.acknowledge({0: Reported([name], 2, again=[told("m2/1")])})

    assert await outcomes(queue) == ["m2/1"]
    assert await store.get("relay:{s00}:outbox_size") == b"1"


async def test_acknowledgements_of_two_owners_that_overlap_leave_no_wrong_count(
    store: Redis, queue: Queue
) -> None:
    for name in ("m1", "m2"):
        await accept(queue, submitted(name))
    (first, _), (second, _) = (await queue.outbox([0], 10))[0]

    await queue.acknowledge({0: Reported([first], 1)})
    await queue.acknowledge({0: Reported([first, second], 2)})

    assert int(await store.get("relay:{s00}:outbox_size") or 0) == 0


async def test_a_suspect_that_was_settled_is_one_no_more(queue: Queue) -> None:
    await accept(queue, submitted())
    now_ms = START_MS
    for _ in range(2):
        await claim(queue, now_ms)
        now_ms += LEASE_MS
    (suspect,) = await claim(queue, now_ms)

    await queue.settle([Settlement(suspect, now_ms, [])])

    (again,) = await claim(queue, now_ms, dataclasses.replace(HUNGRY, suspect=False))
    assert again.crashes == 0


async def test_nothing_of_a_finished_message_stays_but_its_answer(queue: Queue, store: Redis) -> None:
    content = CONTENT + b"".join(b"line %d of a longer message\r\n" % n for n in range(1_000))
    given = [submitted(f"m{n}", content=content) for n in range(10)]
    await accept(queue, *given)
    assert any(b":dictionary:" in name for name in await names(store, "*"))
    claimed = await claim(queue)
    claimed[0].sequence = 2
    await queue.settle([Settlement(claimed[0], START_MS, [])])
    again = await claim(queue)

    await queue.settle([Settlement(message, None, []) for message in claimed[1:] + again])
    await accept(queue, *given)  # its sender never got the answer

    left = {name.split(b":")[2] for name in await names(store, "relay:{s00}:*")}
    assert left == {b"known", b"outbox", b"outbox_size", b"number"}
    for name in await names(store, "relay:{s00}:known:*"):
        assert await store.ttl(name) > 8 * 86_400


async def test_the_messages_of_a_delivery_cost_little(queue: Queue, store: Redis) -> None:
    """The first ones by themselves, the others against the first."""
    text = b"".join(
        b"%s goes to the market and buys apples\r\n" % os.urandom(4).hex().encode() for _ in range(200)
    )
    messages = [
        submitted(f"m{n:03}", content=CONTENT + os.urandom(8).hex().encode() + b"\r\n" + text)
        for n in range(100)
    ]
    await accept(queue, *messages[:20])
    await accept(queue, *messages[20:])

    sizes = [await store.strlen(name) for name in await names(store, "relay:{s00}:message:*")]
    assert sorted(sizes)[50] < 300
    claimed = await claim(queue)
    assert {m.message.message_id: m.content for m in claimed} == {
        m.message.message_id: m.content for m in messages
    }


async def test_another_relay_reads_what_one_packed(queue: Queue, store: Redis) -> None:
    content = CONTENT + b"".join(b"line %d of a longer message\r\n" % n for n in range(1_000))
    given = [submitted(f"m{n}", content=content) for n in range(10)]
    await accept(queue, *given)

    claimed = await claim(Queue(store, shards=1, outbox_max=1_000))

    assert [message.content for message in claimed] == [item.content for item in given]
    assert any(message.dictionary for message in claimed)


async def test_a_dictionary_that_went_with_its_last_message_comes_back(queue: Queue) -> None:
    content = CONTENT + b"".join(b"line %d of a longer message\r\n" % n for n in range(1_000))
    for turn in range(3):
        given = [submitted(f"m{turn}/{n}", content=content) for n in range(10)]
        await accept(queue, *given)
        claimed = await claim(queue)
        assert [message.content for message in claimed] == [item.content for item in given]
        await queue.settle([Settlement(message, None, []) for message in claimed])


async def test_a_content_that_was_damaged_in_the_store_is_told_apart(queue: Queue, store: Redis) -> None:
    await accept(queue, submitted())
    (name,) = await names(store, "relay:{s00}:message:*")
    length = await store.strlen(name)
    await store.setrange(name, length - 6, b"\x00\x00")

    (claimed,) = await claim(queue)

    assert claimed.damaged
    assert claimed.message.message_id == "m1"


async def test_a_full_outbox_refuses_messages_and_settles_all_the_same(store: Redis) -> None:
    queue = Queue(store, shards=1, outbox_max=2)
    await accept(queue, submitted("m1"), submitted("m2"))

    with pytest.raises(Problem) as caught:
        await accept(queue, submitted("m3"))
    one, other = await claim(queue)
    assert await queue.settle([Settlement(one, None, [told("m1/2")])]) == [True]
    assert await queue.settle([Settlement(other, None, [told("m2/2")])]) == [True]

    assert (caught.value.reason, caught.value.retry_after) == ("OUTBOX_FULL", 5.0)
    entries = (await queue.outbox([0], 10))[0]
    await queue.acknowledge({0: Reported([name for name, _ in entries], 4)})
    assert await accept(queue, submitted("m3")) == [b""]


async def test_outcomes_that_wait_go_behind_the_others(queue: Queue, store: Redis) -> None:
    await accept(queue, submitted("m1"))
    await accept(queue, submitted("m2"))
    (first, _), _ = (await queue.outbox([0], 10))[0]

    await queue.acknowledge({0: Reported([first], 1, again=[told("m1/1")])})

    assert await outcomes(queue) == ["m2/1", "m1/1"]
    assert await store.get("relay:{s00}:outbox_size") == b"2"


async def test_the_number_of_shards_is_fixed_when_the_store_is_first_used(store: Redis) -> None:
    await Queue(store, 8, outbox_max=1).fix_shards()
    await Queue(store, 8, outbox_max=1).fix_shards()

    with pytest.raises(Problem) as caught:
        await Queue(store, 4, outbox_max=1).fix_shards()

    assert caught.value.reason == "SHARDS_MISMATCH"


async def test_the_shards_of_a_batch_lie_on_all_nodes(store: Redis) -> None:
    queue = Queue(store, shards=8, outbox_max=1_000)
    given = [submitted(f"m{number}") for number in range(64)]
    await accept(queue, *given)

    claimed = []
    while found := (await queue.claim(range(8), START_MS, START_MS + LEASE_MS, HUNGRY)).messages:
        claimed += found

    assert sorted(ids(claimed)) == sorted(item.message.message_id for item in given)
    assert len({message.shard for message in claimed}) == 8
    assert await queue.renew(claimed, START_MS + 2 * LEASE_MS) == []
    assert all(await queue.settle([Settlement(message, None, [told("x")]) for message in claimed]))
    outbox = await queue.outbox(range(8), 100)
    assert all(len(entries) == 2 for entries in outbox.values())
