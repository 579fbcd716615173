"""A delivery agent, among parts that do as the test says."""

from __future__ import annotations

import asyncio
import dataclasses
from collections import deque
from types import SimpleNamespace
from typing import Any, cast

import pytest

from emta.bounce.v1.smtp_reply_pb2 import FailureKind, SmtpPhase, SmtpReply
from services.relay.attempt import Attempt
from services.relay.connector import Connector
from services.relay.delivery_agent import DeliveryAgent
from services.relay.lane import Lane
from services.relay.limits import Limits
from services.relay.transaction import Delivered, Refused, Result, Transaction
from tests.support.clock import START_MS, ManualClock
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
    idle: set[asyncio.Future[None]] = dataclasses.field(default_factory=set)
    connected: int = 0
    finished: list[Attempt] = dataclasses.field(default_factory=list)
    abandoned: list[Attempt] = dataclasses.field(default_factory=list)
    expired: list[Attempt] = dataclasses.field(default_factory=list)

    def take(self) -> Attempt | None:
        return self.jobs.popleft() if self.jobs else None

    def may_begin(self, job: Attempt) -> bool:
        return True

    def opened(self) -> None:
        self.connected += 1

    def finish(self, job: Attempt, result: Result | None) -> None:
        assert result is None
        self.expired.append(job)

    def put_back(self, job: Attempt) -> None:
        self.jobs.appendleft(job)

    def done(self, job: Attempt, result: Result | None) -> None:
        self.finished.append(job)

    def abandon(self, job: Attempt) -> None:
        self.abandoned.append(job)


def an_agent(lane: Jobs, connect: Any) -> DeliveryAgent:
    async def acquire(site: Any) -> Any:
        return SimpleNamespace(valid=lambda now_ms: True, release=lambda: None)

    return DeliveryAgent(
        cast(Lane, lane),
        cast(Connector, SimpleNamespace(open=connect)),
        cast(Limits, SimpleNamespace(acquire=acquire, give_back=lambda site: None)),
        ManualClock(),
        idle_seconds=0.0,
    )


class Hasty:
    """Takes one message a connection, and hangs up on the next one, with a word or without."""

    def __init__(self, last_word: SmtpReply, *, pipelines: bool) -> None:
        self._last_word = last_word
        self._pipelines = pipelines
        self._messages = 0
        self.usable = True

    async def send(self, message: Transaction, following: Any, may_end: Any) -> Result:
        self._messages += 1
        if self._messages > 1:
            self.usable = False
            return Refused(self._last_word)
        if self._pipelines:
            following()
        return DELIVERED

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("pipelines", [True, False])
@pytest.mark.parametrize(
    "last_word",
    [
        SmtpReply(phase=SmtpPhase.SMTP_PHASE_MAIL, failure=FailureKind.FAILURE_KIND_CONNECTION_LOST),
        SmtpReply(phase=SmtpPhase.SMTP_PHASE_MAIL, code=421, text="enough"),
    ],
)
async def test_a_message_that_a_server_hung_up_on_goes_over_a_new_connection(
    last_word: SmtpReply, pipelines: bool
) -> None:
    jobs = [an_attempt(f"m{number}", deadline_ms=START_MS + 60_000) for number in range(4)]
    for job in jobs:
        job.transaction = MESSAGE._replace(rcpt_to=job.claimed.message.message_id)
    lane, opened = Jobs(deque(jobs)), []

    async def connect(route: Any) -> Hasty:
        opened.append(Hasty(last_word, pipelines=pipelines))
        return opened[-1]

    await an_agent(lane, connect).run()

    assert lane.finished == jobs
    assert len(opened) == 4


async def test_a_job_expires_while_its_connection_is_being_opened() -> None:
    lane = Jobs(deque((an_attempt("m1", deadline_ms=START_MS + 1),)))

    async def silent(route: Any) -> Server:
        await asyncio.Event().wait()
        raise AssertionError

    await an_agent(lane, silent).run()

    assert [job.claimed.message.message_id for job in lane.expired] == ["m1"]


async def test_a_job_whose_agent_is_stopped_while_it_hangs_up_is_abandoned_and_not_forgotten() -> None:
    first, second = (an_attempt(name, deadline_ms=START_MS + 60_000) for name in ("m1", "m2"))
    first.transaction = second.transaction = MESSAGE
    lane, server = Jobs(deque((first, second))), Server()

    async def connect(route: Any) -> Server:
        return server

    working = asyncio.create_task(an_agent(lane, connect).run())
    await server.closing.wait()
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working

    assert lane.finished == [first]
    assert lane.abandoned == [second]
