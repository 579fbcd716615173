"""A delivery agent, among parts that do as the test says."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import deque
from types import SimpleNamespace
from typing import Any, cast

import pytest

from services.relay.attempt import Attempt
from services.relay.connector import Connector
from services.relay.delivery_agent import DeliveryAgent
from services.relay.lanes import Lane
from services.relay.limits import Limits
from services.relay.transaction import Delivered, Result, Transaction
from tests.support.clock import ManualClock
from tests.unit.relay.attempts import an_attempt

MESSAGE = Transaction("from@emta.example", "to@b.example", b"", b"Subject: hi\r\n\r\nhi\r\n", False, False)
DELIVERED = Delivered("250 ok", "mx.b.example", "192.0.2.1", "192.0.2.2", "")


class Server:
    """Takes one message a connection, and lets nobody hang up."""

    def __init__(self) -> None:
        self.usable = True
        self.closing = asyncio.Event()

    async def send(self, message: Transaction, following: Any, may_end: Any) -> Result:
        self.usable = False
        return DELIVERED

    async def close(self) -> None:
        self.closing.set()
        await asyncio.Event().wait()


@dataclasses.dataclass
class Jobs:
    """A lane of two jobs: what became of them."""

    jobs: deque[Attempt]
    site: Any = dataclasses.field(
        default_factory=lambda: SimpleNamespace(rule=SimpleNamespace(messages_per_connection=100))
    )
    route: Any = None
    connected: int = 0
    finished: list[Attempt] = dataclasses.field(default_factory=list)
    abandoned: list[Attempt] = dataclasses.field(default_factory=list)

    def take(self) -> Attempt | None:
        return self.jobs.popleft() if self.jobs else None

    def may_begin(self, job: Attempt) -> bool:
        return True

    def done(self, job: Attempt, result: Result | None) -> None:
        self.finished.append(job)

    def abandon(self, job: Attempt) -> None:
        self.abandoned.append(job)


async def test_a_job_whose_agent_is_stopped_while_it_hangs_up_is_abandoned_and_not_forgotten() -> None:
    first, second = an_attempt("m1"), an_attempt("m2")
    first.transaction = second.transaction = MESSAGE
    lane, server = Jobs(deque((first, second))), Server()

    async def acquire(site: Any) -> Any:
        return SimpleNamespace(valid=lambda now_ms: True, release=lambda: None)

    async def connect(route: Any) -> Server:
        return server

    agent = DeliveryAgent(
        cast(Lane, lane),
        cast(Connector, SimpleNamespace(open=connect)),
        cast(Limits, SimpleNamespace(acquire=acquire)),
        ManualClock(),
        idle_seconds=0.0,
    )
    working = asyncio.create_task(agent.run())
    await server.closing.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working

    assert lane.finished == [first]
    assert lane.abandoned == [second]
