"""What one Relay has of the store: what accepts, the queue, the outbox. And messages for them."""

from __future__ import annotations

from redis.asyncio import Redis

from emta.feedback.v1.feedback_service_pb2 import RecordOutcomesItem, RecordOutcomesRequest
from emta.problems import Problem
from emta.relay.v1.message_pb2 import Message
from services.chassis.settings import NO_ACKS, Acks
from services.relay import submission
from services.relay.store.accept import Accepting, Acceptor
from services.relay.store.bodies import Bodies
from services.relay.store.outbox import Outbox
from services.relay.store.queue import Appetite, Queue
from services.relay.store.record import Claimed
from services.relay.submission import Submission
from tests.support.clock import START_MS

CONTENT = b"From: a@shop.example\r\n\r\nHello\r\n"
# Enough of them, and the others are compressed against the first.
LONG_CONTENT = CONTENT + b"".join(b"line %d of a longer message\r\n" % n for n in range(1_000))
LEASE_MS = 30_000
HUNGRY = Appetite(messages=100, octets=10**9, of_a_domain=100, exceptions={}, suspect=True)


class RelayStore:
    """As app.py puts it together."""

    def __init__(
        self, store: Redis, shards: int = 1, *, outbox_max: int = 1_000, acks: Acks = NO_ACKS
    ) -> None:
        bodies = Bodies()
        self.acceptor = Acceptor(store, bodies, shards, outbox_max=outbox_max, acks=acks)
        self.queue = Queue(store, bodies, acks=acks)
        self.outbox = Outbox(store)

    async def accept(self, *submissions: Submission, now_ms: int = START_MS) -> list[bytes | Problem]:
        batch = [Accepting(item, "", told(f"{item.message.message_id}/1")) for item in submissions]
        return await self.acceptor.accept(batch, now_ms)

    async def claim(self, now_ms: int = START_MS, appetite: Appetite = HUNGRY) -> list[Claimed]:
        return (await self.queue.claim([0], now_ms, now_ms + LEASE_MS, appetite)).messages

    async def outcomes(self) -> list[str]:
        request = RecordOutcomesRequest()
        for _, items in (await self.outbox.oldest([0], 100))[0]:
            request.MergeFromString(items)
        return [item.producer_key for item in request.items]


def submitted(
    message_id: str = "m1",
    now_ms: int = START_MS,
    *,
    domain: str = "b.example",
    delivery_id: str = "d1",
    content: bytes = CONTENT,
    validity: int | None = None,
) -> Submission:
    message = Message(
        message_id=message_id, delivery_id=delivery_id, rcpt_to=f"x@{domain}", content=content
    )
    if validity is not None:
        message.validity.seconds = validity
    return submission.check(
        message, tenant="default", now_ms=now_ms, ehlo_name="mta.example", internal_fields=frozenset()
    )


def told(name: str) -> RecordOutcomesItem:
    return RecordOutcomesItem(producer_key=name)


def ids(claimed: list[Claimed]) -> list[str]:
    return [message.message.message_id for message in claimed]


async def keys(store: Redis, pattern: str) -> list[bytes]:
    return [key async for key in store.scan_iter(pattern)]
