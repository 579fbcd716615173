"""Contents in the store: they cost little, and come back as they were or not at all."""

from __future__ import annotations

import os
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError

from services.relay.store import bodies
from services.relay.store.queue import Settlement
from services.relay.submission import Submission
from tests.integration.relay.relay_store import CONTENT, LONG_CONTENT, RelayStore, keys, submitted


async def test_the_messages_of_a_delivery_cost_little(relay: RelayStore, any_store: Redis) -> None:
    """The first ones by themselves, the others against the first."""
    text = b"".join(
        b"%s goes to the market and buys apples\r\n" % os.urandom(4).hex().encode() for _ in range(200)
    )
    messages = [
        submitted(f"m{n:03}", content=CONTENT + os.urandom(8).hex().encode() + b"\r\n" + text)
        for n in range(100)
    ]
    await relay.accept(*messages[:20])
    await relay.accept(*messages[20:])

    sizes = [await any_store.strlen(name) for name in await keys(any_store, "relay:{s00}:message:*")]
    assert sorted(sizes)[50] < 300
    claimed = await relay.claim()
    assert {m.message.message_id: m.content for m in claimed} == {
        m.message.message_id: m.content for m in messages
    }


async def test_a_dictionary_that_went_with_its_last_message_comes_back(relay: RelayStore) -> None:
    for turn in range(3):
        given = [submitted(f"m{turn}/{n}", content=LONG_CONTENT) for n in range(10)]
        await relay.accept(*given)
        claimed = await relay.claim()
        assert [message.content for message in claimed] == [item.content for item in given]
        await relay.queue.settle([Settlement(message, None, []) for message in claimed])


async def test_what_was_claimed_while_its_dictionary_did_not_come_is_given_again_without_blame(
    any_store: Redis, relay: RelayStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = [submitted(f"m{n}", content=LONG_CONTENT) for n in range(10)]
    await relay.accept(*given)
    other = RelayStore(any_store)

    async def away(*args: Any) -> None:
        raise ConnectionError("reset")

    with monkeypatch.context() as patched:
        patched.setattr(any_store, "hget", away)
        with pytest.raises(ConnectionError):
            await other.claim()

    claimed = await other.claim()

    assert sorted(m.content for m in claimed) == sorted(item.content for item in given)
    assert [message.crashes for message in claimed] == [0] * 10


async def test_another_relay_reads_what_one_packed(relay: RelayStore, any_store: Redis) -> None:
    given = [submitted(f"m{n}", content=LONG_CONTENT) for n in range(10)]
    await relay.accept(*given)

    claimed = await RelayStore(any_store).claim()

    assert [message.content for message in claimed] == [item.content for item in given]
    assert any(message.dictionary for message in claimed)


async def test_a_content_that_was_damaged_in_the_store_is_told_apart(
    relay: RelayStore, any_store: Redis
) -> None:
    await relay.accept(submitted())
    (name,) = await keys(any_store, "relay:{s00}:message:*")
    length = await any_store.strlen(name)
    await any_store.setrange(name, length - 6, b"\x00\x00")

    (claimed,) = await relay.claim()

    assert claimed.damaged
    assert claimed.message.message_id == "m1"


async def test_a_batch_may_bring_one_dictionary_more_than_are_kept(
    relay: RelayStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that goes is not one that the batch itself needs."""
    monkeypatch.setattr(bodies, "MOST_DICTIONARIES", 2)
    for delivery in ("d1", "d2", "d3"):
        await relay.accept(*(_of(delivery, n) for n in range(2)))
    await relay.accept(_of("d1", 2))
    await relay.accept(_of("d2", 2))

    given = [_of("d1", 3), _of("d3", 2)]
    assert await relay.accept(*given) == [b"", b""]

    claimed = {m.message.message_id: m for m in await relay.claim()}
    assert all(claimed[item.message.message_id].content == item.content for item in given)


async def test_what_is_known_of_dictionaries_that_are_gone_is_forgotten(
    relay: RelayStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "MOST_DICTIONARIES", 2)
    for number in range(20):
        await relay.accept(*(_of(f"d{number}", n) for n in range(3)))

    assert len(relay.acceptor._dictionaries) <= 4
    given = [_of("d0", 3), _of("d19", 3)]
    assert await relay.accept(*given) == [b"", b""]


def _of(delivery: str, number: int) -> Submission:
    content = LONG_CONTENT * 3 + delivery.encode() + b"\r\n"
    return submitted(f"{delivery}/{number}", content=content, delivery_id=delivery)
