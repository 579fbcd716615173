"""Routing attempts: one look-up for all that wait for a domain."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest

from emta.bounce.v1.smtp_reply_pb2 import SmtpReply
from services.relay.attempt import Attempt
from services.relay.mx import MxHost, MxResolver, Route
from services.relay.replies import AttemptFailed
from services.relay.router import Router
from tests.support.eventually import eventually
from tests.unit.relay.attempts import an_attempt

ROUTE = Route(((10, MxHost("mx.example.com", ("192.0.2.1",))),))


class Names:
    """A resolver that is asked, and answers when it is told to; and what becomes of attempts."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer = asyncio.Event()
        self.failure: Exception | None = None
        self.routed: list[Attempt] = []
        self.failed: list[Attempt] = []
        self.dropped: list[Attempt] = []
        self.router = Router(
            cast(MxResolver, self),
            routed=lambda attempt, route: self.routed.append(attempt),
            failed=lambda attempt, reply: self.failed.append(attempt),
            dropped=self.dropped.append,
        )

    def known(self, domain: str) -> Route | None:
        return None

    async def route(self, domain: str) -> Route:
        self.asked += 1
        await self.answer.wait()
        if self.failure is not None:
            raise self.failure
        return ROUTE

    async def until_told(self, count: int) -> None:
        async def told() -> bool:
            return len(self.routed) + len(self.failed) + len(self.dropped) == count

        await eventually(told, f"{count} to be told")


async def test_all_that_wait_for_a_domain_share_a_look_up() -> None:
    names, attempts = Names(), [an_attempt(), an_attempt()]
    for attempt in attempts:
        names.router.add(attempt)
    names.answer.set()
    await names.until_told(2)

    assert (names.asked, names.routed) == (1, attempts)


@pytest.mark.parametrize(
    ("failure", "where"), [(AttemptFailed(SmtpReply()), "failed"), (ValueError("a defect"), "dropped")]
)
async def test_who_comes_after_a_failed_look_up_has_one_of_his_own(failure: Exception, where: str) -> None:
    names, first, second = Names(), an_attempt(), an_attempt()
    names.failure = failure
    names.answer.set()
    names.router.add(first)
    await names.until_told(1)
    names.failure = None
    names.router.add(second)
    await names.until_told(2)

    assert getattr(names, where) == [first]
    assert names.routed == [second]
