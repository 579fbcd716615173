"""Writing down how attempts ended."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest
from redis.exceptions import ConnectionError

from services.relay import settler
from services.relay.attempt import Attempt
from services.relay.settler import Settler
from services.relay.store.queue import Queue, Settlement
from tests.support.eventually import eventually
from tests.unit.relay.attempts import an_attempt


class Store:
    """A queue that ends leases when it is told to: the calls that came, and what was told."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.answers = asyncio.Event()
        self.answers.set()
        self.failure: Exception | None = None
        self.poison = self.away = ""
        self.told: list[str] = []
        self.settler = Settler(cast(Queue, self), lambda attempt, due_ms: self.told.append(_id(attempt)))

    def unit(self, shard: int) -> int:
        return shard

    async def settle(self, settlements: Sequence[Settlement]) -> list[bool | None]:
        ids = [settlement.claimed.message.message_id for settlement in settlements]
        self.calls.append("".join(ids))
        await self.answers.wait()
        if self.failure is not None:
            raise self.failure
        if self.poison in ids:
            raise ValueError("a defect")
        return [None if name == self.away else True for name in ids]

    def end(self, *ids: str) -> None:
        for name in ids:
            attempt = an_attempt(name)
            self.settler.settle(attempt, Settlement(attempt.claimed, 0, ()))

    async def until_told(self, *ids: str) -> None:
        async def told() -> bool:
            return len(self.told) >= len(ids)

        await eventually(told, f"{ids} to be told")
        assert sorted(self.told) == sorted(ids)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settler, "_STORE_AWAY_SECONDS", 0)


def _id(attempt: Attempt) -> str:
    return attempt.claimed.message.message_id


async def test_the_first_goes_at_once_and_takes_along_what_ended_with_it() -> None:
    store = Store()
    store.end("a", "b")
    await store.until_told("a", "b")

    assert store.calls == ["ab"]


async def test_what_ends_while_the_store_is_busy_goes_together() -> None:
    store = Store()
    store.answers.clear()
    store.end("a")
    await asyncio.sleep(0)
    store.end("b")
    store.end("c")
    store.answers.set()
    await store.until_told("a", "b", "c")

    assert store.calls == ["a", "bc"]


async def test_nothing_is_forgotten_while_the_store_is_away() -> None:
    store = Store()
    store.failure = ConnectionError("away")
    store.end("a")

    async def tried_again() -> bool:
        return len(store.calls) >= 3

    await eventually(tried_again, "it to be tried again")
    assert store.told == []
    store.end("b")
    store.failure = None
    await store.until_told("a", "b")


async def test_a_node_that_is_away_holds_up_no_other() -> None:
    store = Store()
    store.away = "a"
    store.end("a", "b")
    await store.until_told("b")

    store.away = ""
    await store.until_told("a", "b")


async def test_a_defect_in_one_holds_up_no_other() -> None:
    store = Store()
    store.poison = "c"
    store.end("a", "b", "c", "d")
    await store.until_told("a", "b", "d")


async def test_what_had_ended_before_the_store_went_away_is_written_before_what_ended_since() -> None:
    store = Store()
    store.failure = ConnectionError("away")
    store.end("a", "b")

    async def tried() -> bool:
        return len(store.calls) > 0 and not store.settler.writes(0)

    await eventually(tried, "the store to be away")
    store.end("c")
    store.failure = None
    await store.until_told("a", "b", "c")

    assert store.told == ["a", "b", "c"]
    assert store.settler.writes(0)


async def test_a_defect_that_is_alone_does_not_look_like_a_store_that_is_away() -> None:
    """Else nothing would begin any more, and it would stay alone."""
    store = Store()
    store.poison = "p"
    store.end("p")

    async def tried_again() -> bool:
        return len(store.calls) > 1

    await eventually(tried_again, "it to be tried again")

    assert store.settler.writes(0)
    store.poison = ""
    await store.until_told("p")
