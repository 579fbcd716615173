"""The durable queue on a real store: claims, leases, settlements."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError

from emta.bounce.v1.smtp_reply_pb2 import SmtpReply
from services.relay.store import queue as queue_module
from services.relay.store.queue import Appetite, Settlement
from tests.integration.relay.relay_store import (
    CONTENT,
    HUNGRY,
    LEASE_MS,
    LONG_CONTENT,
    RelayStore,
    ids,
    keys,
    submitted,
    told,
)
from tests.support.clock import START_MS


async def test_what_is_claimed_is_what_was_accepted(relay: RelayStore) -> None:
    given = submitted()
    await relay.accept(given)

    (claimed,) = await relay.claim()

    assert claimed.message == given.message
    assert claimed.content == given.content
    assert claimed.body_sha256 == given.body_sha256
    assert claimed.deadline_ms == given.deadline_ms
    assert (claimed.tenant, claimed.failed_attempts, claimed.sequence) == ("default", 0, 1)


async def test_nobody_else_gets_a_message_on_lease_until_the_lease_ends(relay: RelayStore) -> None:
    await relay.accept(submitted())
    (first,) = await relay.claim()

    assert await relay.claim(START_MS + LEASE_MS - 1) == []
    (second,) = await relay.claim(START_MS + LEASE_MS)

    assert first.fence != second.fence
    assert (first.crashes, second.crashes) == (0, 1)


async def test_the_fence_keeps_a_stale_owner_out(relay: RelayStore) -> None:
    await relay.accept(submitted())
    (stale,) = await relay.claim()
    (owner,) = await relay.claim(START_MS + LEASE_MS)

    assert await relay.queue.settle([Settlement(stale, None, [told("stale")])]) == [False]
    assert await relay.queue.settle([Settlement(owner, None, [told("owner")])]) == [True]
    assert await relay.outcomes() == ["m1/1", "owner"]


async def test_a_settlement_that_is_repeated_has_one_effect_on_a_finished_message(
    relay: RelayStore,
) -> None:
    await relay.accept(submitted())
    (claimed,) = await relay.claim()
    settlement = Settlement(claimed, None, [told("m1/2")])

    assert await relay.queue.settle([settlement]) == [True]
    assert await relay.queue.settle([settlement]) == [False]
    assert await relay.outcomes() == ["m1/1", "m1/2"]


async def test_a_settlement_that_comes_twice_in_a_call_has_one_effect(relay: RelayStore) -> None:
    await relay.accept(submitted())
    (claimed,) = await relay.claim()
    settlement = Settlement(claimed, None, [told("m1/2")])

    assert await relay.queue.settle([settlement, settlement]) == [True, False]
    assert await relay.outcomes() == ["m1/1", "m1/2"]


async def test_a_renewed_lease_lasts_longer(relay: RelayStore) -> None:
    await relay.accept(submitted())
    claimed = await relay.claim()

    assert await relay.queue.renew(claimed, START_MS + 2 * LEASE_MS) == []

    assert await relay.claim(START_MS + 2 * LEASE_MS - 1) == []
    assert claimed[0].leased_until_ms == START_MS + 2 * LEASE_MS


async def test_a_renewal_that_comes_late_shortens_no_lease(relay: RelayStore) -> None:
    """It was given up, and the next one was faster."""
    await relay.accept(submitted())
    (claimed,) = await relay.claim()
    late = dataclasses.replace(claimed)
    await relay.queue.renew([claimed], START_MS + 3 * LEASE_MS)

    await relay.queue.renew([late], START_MS + 2 * LEASE_MS)

    assert await relay.claim(START_MS + 3 * LEASE_MS - 1) == []


async def test_a_lease_that_another_holds_cannot_be_renewed(relay: RelayStore) -> None:
    await relay.accept(submitted())
    stale = await relay.claim()
    await relay.claim(START_MS + LEASE_MS)

    assert await relay.queue.renew(stale, START_MS + 5 * LEASE_MS) == stale

    assert ids(await relay.claim(START_MS + 2 * LEASE_MS)) == ["m1"]


async def test_a_message_that_is_due_again_keeps_what_was_learned(relay: RelayStore) -> None:
    await relay.accept(submitted())
    (claimed,) = await relay.claim()
    claimed.failed_attempts, claimed.sequence = 1, 2

    await relay.queue.settle([Settlement(claimed, START_MS + 5_000, [])])

    look = await relay.queue.claim([0], START_MS + 4_999, START_MS, HUNGRY)
    assert (look.messages, look.next_look_ms) == ([], START_MS + 5_000)
    (again,) = await relay.claim(START_MS + 5_000)
    assert (again.failed_attempts, again.sequence) == (1, 2)


async def test_no_domain_gets_more_than_its_part(relay: RelayStore) -> None:
    await relay.accept(*(submitted(f"a{n}", domain="a.example") for n in range(5)))
    await relay.accept(*(submitted(f"b{n}", domain="b.example") for n in range(5)))
    appetite = dataclasses.replace(HUNGRY, of_a_domain=3, exceptions={"b.example": 1})

    assert ids(await relay.claim(appetite=appetite)) == ["a0", "a1", "a2", "b0"]


@pytest.mark.parametrize(
    ("appetite", "at_once"),
    [
        (dataclasses.replace(HUNGRY, messages=5), True),  # it has had what it asked for
        (dataclasses.replace(HUNGRY, of_a_domain=5), True),  # ... of a domain that it knew nothing about
        (dataclasses.replace(HUNGRY, exceptions={"a.example": 5}), False),  # it wants no more of that
        (HUNGRY, False),
    ],
)
async def test_where_more_is_due_that_may_be_wanted_the_next_look_is_at_once(
    relay: RelayStore, appetite: Appetite, at_once: bool
) -> None:
    await relay.accept(*(submitted(f"a{n}", domain="a.example") for n in range(9)))

    look = await relay.queue.claim([0], START_MS, START_MS + LEASE_MS, appetite)

    assert look.next_look_ms == (START_MS if at_once else START_MS + LEASE_MS)


async def test_a_domain_that_takes_nothing_hinders_no_other(relay: RelayStore) -> None:
    await relay.accept(*(submitted(f"a{n}", domain="a.example") for n in range(200)))
    await relay.accept(submitted("b0", START_MS + 1, domain="b.example"))
    appetite = dataclasses.replace(HUNGRY, exceptions={"a.example": 0})

    assert ids(await relay.claim(START_MS + 1, appetite)) == ["b0"]


async def test_no_more_octets_are_claimed_than_asked_for(relay: RelayStore) -> None:
    for number in range(5):
        text = os.urandom(20_000).hex().encode()
        large = CONTENT + b"".join(text[at : at + 900] + b"\r\n" for at in range(0, len(text), 900))
        await relay.accept(submitted(f"m{number}", content=large))

    assert len(await relay.claim(appetite=dataclasses.replace(HUNGRY, octets=1_000))) == 1
    assert len(await relay.claim(appetite=dataclasses.replace(HUNGRY, octets=40_000))) == 2
    assert len(await relay.claim()) == 2


async def test_a_claim_is_in_the_order_in_which_messages_are_due(relay: RelayStore) -> None:
    """More of a domain than are read at once."""
    await relay.accept(*(submitted(f"m{n:02}") for n in range(30)))
    (first, *_) = await relay.claim(appetite=dataclasses.replace(HUNGRY, messages=20))
    await relay.queue.settle([Settlement(first, START_MS + 1, [])])

    rest = await relay.claim(START_MS + 1)

    assert ids(rest) == [f"m{n}" for n in range(20, 30)] + ["m00"]


async def test_what_owners_die_of_twice_is_given_out_alone(relay: RelayStore) -> None:
    await relay.accept(*(submitted(f"m{n}") for n in range(3)))
    now_ms = START_MS
    for _ in range(2):
        assert len(await relay.claim(now_ms)) == 3
        now_ms += LEASE_MS

    (suspect,) = await relay.claim(now_ms)
    nothing = await relay.claim(now_ms, dataclasses.replace(HUNGRY, suspect=False))
    (other,) = await relay.claim(now_ms)

    assert suspect.crashes == other.crashes == 2
    assert nothing == []
    assert suspect.number != other.number


async def test_what_is_given_out_in_any_case_waits_for_no_octets(relay: RelayStore) -> None:
    await relay.accept(*(submitted(f"m{n}") for n in range(3)))
    now_ms = START_MS
    for _ in range(2):
        await relay.claim(now_ms)
        now_ms += LEASE_MS
    expired_ms = START_MS + 4 * 86_400_000

    claimed = await relay.claim(expired_ms, dataclasses.replace(HUNGRY, octets=1))

    assert sorted(ids(claimed)) == ["m0", "m1", "m2"]


async def test_a_suspect_that_has_expired_waits_for_no_other(relay: RelayStore) -> None:
    short = submitted("m2", validity=90)
    await relay.accept(submitted("m1"), short)
    now_ms = START_MS
    for _ in range(2):
        assert len(await relay.claim(now_ms)) == 2
        now_ms += LEASE_MS
    at_hand = dataclasses.replace(HUNGRY, suspect=False)

    look = await relay.queue.claim([0], short.deadline_ms - 1, short.deadline_ms + LEASE_MS, at_hand)
    assert (look.messages, look.next_look_ms) == ([], short.deadline_ms)

    assert ids(await relay.claim(short.deadline_ms, at_hand)) == ["m2"]


async def test_suspects_of_several_shards_are_given_out_one_by_one(any_store: Redis) -> None:
    relay, shards, now_ms = RelayStore(any_store, shards=8), range(8), START_MS
    await relay.accept(*(submitted(f"m{n}") for n in range(16)))
    for _ in range(2):
        assert len((await relay.queue.claim(shards, now_ms, now_ms + LEASE_MS, HUNGRY)).messages) == 16
        now_ms += LEASE_MS

    given = []
    while len(given) < 16:
        look = await relay.queue.claim(shards, now_ms, now_ms + LEASE_MS, HUNGRY)
        assert len(look.messages) == 1 or look.next_look_ms == now_ms
        assert len(look.messages) <= 1
        given += ids(look.messages)

    assert sorted(given) == sorted(f"m{n}" for n in range(16))


async def test_what_a_claim_without_answer_leased_is_given_out_again_without_blame(
    any_store: Redis, relay: RelayStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await relay.accept(submitted("m1"), submitted("m2"))
    carried_out = queue_module._claim.each

    async def answer_lost(*args: Any, **kwargs: Any) -> list[Any]:
        await carried_out(*args, **kwargs)
        raise ConnectionError("reset")

    for _ in range(3):
        with monkeypatch.context() as patched:
            patched.setattr(queue_module._claim, "each", answer_lost)
            with pytest.raises(ConnectionError):
                await relay.claim()

    claimed = await relay.claim()

    assert sorted(ids(claimed)) == ["m1", "m2"]
    assert [message.crashes for message in claimed] == [0, 0]
    assert await relay.claim() == []
    assert await relay.queue.settle([Settlement(message, None, []) for message in claimed]) == [True, True]


async def test_what_is_leased_behind_a_later_claim_is_given_out_again_without_blame(
    relay: RelayStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network kept the claim back until nobody waited for it any more."""
    carry_out, late = queue_module._claim.each, []

    async def kept_back(*args: Any, **kwargs: Any) -> list[Any]:
        late.append((args, kwargs))
        raise ConnectionError("no answer in time")

    with monkeypatch.context() as patched:
        patched.setattr(queue_module._claim, "each", kept_back)
        with pytest.raises(ConnectionError):
            await relay.claim()
    assert await relay.claim(START_MS + 1) == []
    await relay.accept(submitted("m1"))
    for args, kwargs in late:
        await carry_out(*args, **kwargs)

    (claimed,) = await relay.claim(START_MS + 2)

    assert claimed.crashes == 0
    assert await relay.queue.settle([Settlement(claimed, None, [])]) == [True]


async def test_a_store_that_was_away_for_longer_than_a_lease_blames_no_lost_claim(
    relay: RelayStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await relay.accept(submitted("m1"))
    carried_out = queue_module._claim.each

    async def answer_lost(*args: Any, **kwargs: Any) -> list[Any]:
        await carried_out(*args, **kwargs)
        raise ConnectionError("reset")

    with monkeypatch.context() as patched:
        patched.setattr(queue_module._claim, "each", answer_lost)
        with pytest.raises(ConnectionError):
            await relay.claim()

    (claimed,) = await relay.claim(START_MS + LEASE_MS + 1)

    assert claimed.crashes == 0


@pytest.mark.parametrize("part", ["message", "progress"])
async def test_a_record_that_cannot_be_read_hinders_no_other(
    relay: RelayStore, any_store: Redis, part: str
) -> None:
    await relay.accept(submitted("m1"))
    (claimed,) = await relay.claim()
    claimed.reply = SmtpReply(text="x" * 100)
    await relay.queue.settle([Settlement(claimed, START_MS, [])])
    (name,) = await keys(any_store, f"relay:{{s00}}:{part}:*")
    await any_store.setrange(name, 80, b"\xff" * 16)
    await relay.accept(submitted("m2"))

    assert ids(await relay.claim()) == ["m2"]


async def test_a_suspect_that_was_settled_is_one_no_more(relay: RelayStore) -> None:
    await relay.accept(submitted())
    now_ms = START_MS
    for _ in range(2):
        await relay.claim(now_ms)
        now_ms += LEASE_MS
    (suspect,) = await relay.claim(now_ms)

    await relay.queue.settle([Settlement(suspect, now_ms, [])])

    (again,) = await relay.claim(now_ms, dataclasses.replace(HUNGRY, suspect=False))
    assert again.crashes == 0


async def test_nothing_of_a_finished_message_stays_but_its_answer(
    relay: RelayStore, any_store: Redis
) -> None:
    given = [submitted(f"m{n}", content=LONG_CONTENT) for n in range(10)]
    await relay.accept(*given)
    assert any(b":dictionary:" in name for name in await keys(any_store, "*"))
    claimed = await relay.claim()
    claimed[0].sequence = 2
    await relay.queue.settle([Settlement(claimed[0], START_MS, [])])
    again = await relay.claim()

    await relay.queue.settle([Settlement(message, None, []) for message in claimed[1:] + again])
    await relay.accept(*given)  # its sender never got the answer

    left = {name.split(b":")[2] for name in await keys(any_store, "relay:{s00}:*")}
    assert left == {b"known", b"outbox", b"outbox_size", b"number"}
    for name in await keys(any_store, "relay:{s00}:known:*"):
        assert await any_store.ttl(name) > 8 * 86_400


async def test_the_shards_of_a_batch_lie_on_all_nodes(any_store: Redis) -> None:
    relay = RelayStore(any_store, shards=8)
    given = [submitted(f"m{number}") for number in range(64)]
    await relay.accept(*given)

    claimed = []
    while found := (await relay.queue.claim(range(8), START_MS, START_MS + LEASE_MS, HUNGRY)).messages:
        claimed += found

    assert sorted(ids(claimed)) == sorted(item.message.message_id for item in given)
    assert len({message.shard for message in claimed}) == 8
    assert await relay.queue.renew(claimed, START_MS + 2 * LEASE_MS) == []
    assert all(await relay.queue.settle([Settlement(message, None, [told("x")]) for message in claimed]))
    outbox = await relay.outbox.oldest(range(8), 100)
    assert all(len(entries) == 2 for entries in outbox.values())
