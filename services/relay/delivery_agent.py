"""Delivery agents: each takes the messages of a lane over a connection, one after the other."""

from __future__ import annotations

import asyncio

from emta.bounce.v1.smtp_reply_pb2 import FailureKind, SmtpPhase
from services.chassis.clock import Clock
from services.chassis.telemetry import begin_span
from services.relay.attempt import Attempt
from services.relay.connector import Connector
from services.relay.lane import Lane
from services.relay.limits import Limits, Slot
from services.relay.replies import AttemptFailed
from services.relay.session import Session
from services.relay.transaction import Refused, Result, Transaction

# "Service not available, closing transmission channel" (RFC 5321 section 4.2.3).
_CLOSING = 421


class DeliveryAgent:
    """One connection at a time: jobs one after the other, a new connection when this one is used up."""

    def __init__(
        self, lane: Lane, connector: Connector, limits: Limits, clock: Clock, idle_seconds: float
    ) -> None:
        self._lane = lane
        self._connector = connector
        self._limits = limits
        self._clock = clock
        self._idle_seconds = idle_seconds
        self._session: Session | None = None
        self._left = 0  # messages that the connection may still get
        # The job whose envelope went out behind a final dot, and its token.
        self._announced: Attempt | None = None

    async def run(self) -> None:
        """Work until nothing waits any more."""
        slot = await self._limits.acquire(self._lane.site)
        try:
            while (job := self._announced or await self._next()) is not None:
                if not await self._is_connected(job, slot):
                    return
                await self._carry_out(job)
        finally:
            if self._announced is not None:
                self._lane.put_back(self._announced)
            await self._close()
            slot.release()

    async def _next(self) -> Attempt | None:
        """Give the next job, after a while of idleness with an open connection; None: there is none."""
        lane = self._lane
        while (job := lane.take()) is None:
            if lane.jobs:
                await self._rate()
                if lane.jobs and lane.may_begin(lane.jobs[0]):
                    return lane.jobs.popleft()
                self._limits.give_back(lane.site)
            elif self._session is None or not await self._idle():
                return None
        return job

    async def _rate(self) -> None:
        """Wait for a token of the site; not with an open connection when that takes long."""
        now_ms = self._clock.now_ms()
        if self._limits.ready_ms(self._lane.site) - now_ms > self._idle_seconds * 1000:
            await self._close()
        await self._limits.token(self._lane.site)

    async def _idle(self) -> bool:
        """Wait for more to do; False: nothing has come."""
        lane = self._lane
        if self._session is None or not self._session.usable:
            return False
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        lane.idle.add(waiting)
        try:
            await asyncio.wait_for(waiting, self._idle_seconds)
        except TimeoutError:
            return bool(lane.jobs)
        finally:
            lane.idle.discard(waiting)
        return True

    async def _is_connected(self, job: Attempt, slot: Slot) -> bool:
        """Have an open connection for a job; False: there is none for it, and it is not ours any more."""
        lane = self._lane
        if not slot.valid(self._clock.now_ms()):
            self._announced = None
            lane.put_back(job)
            return False
        valid = asyncio.timeout(max(0.0, (job.claimed.deadline_ms - self._clock.now_ms()) / 1000))
        try:
            if self._session is not None and (not self._session.usable or self._left <= 0):
                self._announced = None
                await self._close()
            if self._session is not None:
                return True
            async with valid:
                self._session = await self._connector.open(lane.route)
        except AttemptFailed as failed:
            lane.refused(failed, job)
            return False
        except BaseException:
            if not valid.expired():
                lane.abandon(job)
                raise
            # The server takes longer to greet us than the message is valid.
            self._limits.give_back(lane.site)
            lane.finish(job, None)
            return False
        self._left = lane.site.rule.messages_per_connection
        lane.opened()
        return True

    async def _close(self) -> None:
        if self._session is not None:
            session, self._session = self._session, None
            self._lane.connected -= 1
            await session.close()

    async def _carry_out(self, job: Attempt) -> None:
        lane, session = self._lane, self._session
        assert session is not None
        assert job.transaction is not None
        announced, self._announced = self._announced is not None, None
        if not lane.may_begin(job):
            # Connecting took longer than the message, or our right to send it, lasted.
            self._limits.give_back(lane.site)
            lane.finish(job, None)
            if announced:
                await self._close()
            return
        is_first = self._left == lane.site.rule.messages_per_connection
        self._left -= 1
        span = begin_span("relay", "smtp.transaction", job.traceparent)
        try:
            result = await session.send(
                job.transaction,
                self._following,
                lambda: self._clock.now_ms() < job.claimed.leased_until_ms,
            )
        except BaseException as error:
            span.fail(type(error).__name__)
            span.end()
            lane.abandon(job)
            raise
        span.set(emta__result="withheld" if result is None else type(result).__name__.lower())
        if isinstance(result, Refused):
            span.set(smtp__code=result.reply.code)
        span.end()
        if not is_first and _hung_up(result):
            # After the message before; this one has not begun.
            lane.put_back(job)
            return
        lane.done(job, result)

    def _following(self) -> Transaction | None:
        """Give the transaction whose envelope may go out now."""
        if self._left > 0:
            self._announced = self._lane.take()
        return self._announced.transaction if self._announced is not None else None


def _hung_up(result: Result | None) -> bool:
    """Whether a server closed the connection in place of an answer to MAIL: some take few messages."""
    if not isinstance(result, Refused) or result.reply.phase != SmtpPhase.SMTP_PHASE_MAIL:
        return False
    lost = FailureKind.FAILURE_KIND_CONNECTION_LOST
    return result.reply.failure == lost or result.reply.code == _CLOSING
