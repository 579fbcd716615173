"""Lanes: the connections to receiving servers, several messages over each.

A lane is for one route: domains with the same mail servers share its connections. Lanes whose servers
belong to one site share the site's limits.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from services.chassis.logs import Log
from services.chassis.telemetry import begin_span
from services.relay.attempt import Attempt
from services.relay.mx import Route
from services.relay.replies import AttemptFailed
from services.relay.session import Connector, Refused, Result, Session, Transaction

_log = Log("relay")

# Messages that wait for each connection that a lane may have: enough to keep it busy until the next claim.
_WAITING_PER_CONNECTION = 20
# Messages that have to wait before one more connection is worth opening: a connection costs about as much
# as four to six messages over an open one (three round trips more, and a TLS handshake).
_WORTH_A_CONNECTION = 4


class Lanes:
    """A lane for every route that has work, with a few connections each.

    `may_begin(job)` is asked right before a transaction; `ended(job, result)` is told the result, None
    when it was not allowed to begin. `abandoned(job)`: a defect of ours; nobody knows what became of it.
    """

    def __init__(
        self,
        connector: Connector,
        *,
        connections: int,
        idle_seconds: float,
        may_begin: Callable[[Attempt], bool],
        ended: Callable[[Attempt, Result | None], None],
        abandoned: Callable[[Attempt], None],
    ) -> None:
        self.connector = connector
        self.connections = connections
        self.idle_seconds = idle_seconds
        self.may_begin = may_begin
        self._ended = ended
        self._abandoned = abandoned
        self._lanes: dict[str, _Lane] = {}
        # Domains whose lanes are not empty, by how much they hold.
        self._held: dict[str, int] = {}

    def add(self, job: Attempt) -> None:
        """Queue a signed attempt on the lane of its route."""
        route = job.route
        assert route is not None
        lane = self._lanes.get(route.key)
        if lane is None:
            lane = self._lanes[route.key] = _Lane(route, self)
        domain = job.claimed.domain
        self._held[domain] = self._held.get(domain, 0) + 1
        lane.add(job)

    def room(self, usual: int) -> dict[str, int]:
        """How much more of a domain may be claimed, for the domains where that is not `usual`."""
        most = self.connections * _WAITING_PER_CONNECTION
        return {domain: max(0, most - held) for domain, held in self._held.items() if most - held < usual}

    def recall(self) -> None:
        """Give back all that has not begun."""
        for lane in list(self._lanes.values()):
            lane.recall()

    async def close(self) -> None:
        """Close all connections."""
        workers = [worker for lane in self._lanes.values() for worker in lane.workers]
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    def finish(self, job: Attempt, result: Result | None) -> None:
        """A job leaves its lane."""
        self._leave(job)
        self._ended(job, result)

    def abandon(self, job: Attempt) -> None:
        """A job is lost to a defect of ours."""
        self._leave(job)
        self._abandoned(job)

    def _leave(self, job: Attempt) -> None:
        domain = job.claimed.domain
        left = self._held[domain] - 1
        if left:
            self._held[domain] = left
        else:
            del self._held[domain]

    def forget(self, key: str) -> None:
        """A lane is empty."""
        self._lanes.pop(key, None)


class _Lane:
    def __init__(self, route: Route, lanes: Lanes) -> None:
        self._route = route
        self._lanes = lanes
        self._jobs: deque[Attempt] = deque()
        self._idle: set[asyncio.Future[None]] = set()
        self._connected = 0
        self._most = lanes.connections
        self.workers: set[asyncio.Task[None]] = set()

    def add(self, job: Attempt) -> None:
        """Queue a job; wakes an idle connection or opens one more where that is worth it."""
        self._jobs.append(job)
        while self._idle:
            waiting = self._idle.pop()
            if not waiting.done():
                waiting.set_result(None)
                return
        if len(self._jobs) > _WORTH_A_CONNECTION * len(self.workers):
            self._staff()

    def recall(self) -> None:
        """Give back what waits."""
        jobs, self._jobs = self._jobs, deque()
        for job in jobs:
            self._lanes.finish(job, None)

    def _staff(self) -> None:
        """Open one more connection, if there may be one."""
        if len(self.workers) < self._most:
            worker = asyncio.get_running_loop().create_task(self._work())
            self.workers.add(worker)
            worker.add_done_callback(self._left)

    def _left(self, worker: asyncio.Task[None]) -> None:
        self.workers.discard(worker)
        if worker.cancelled():
            return
        if (error := worker.exception()) is not None:
            _log.error("lane_failed", route=self._route.key, error=repr(error))
        if self._jobs:
            # They came while it was closing its connection, and found no room for another one.
            self._staff()
        elif not self.workers:
            self._lanes.forget(self._route.key)

    async def _work(self) -> None:
        """One connection's life: jobs one after the other, a new connection when this one is used up."""
        session: Session | None = None
        conversation = _Conversation(self)
        try:
            while (job := conversation.announced or await self._next(session)) is not None:
                if session is not None and not session.usable:
                    conversation.announced = None
                    await self._close(session)
                    session = None
                if session is None:
                    session = await self._open(job)
                    if session is None:
                        return
                await self._carry_out(session, conversation, job)
        finally:
            if conversation.announced is not None:
                self._lanes.finish(conversation.announced, None)
            if session is not None:
                await self._close(session)

    async def _next(self, session: Session | None) -> Attempt | None:
        """Give the next job, after a while of idleness with an open connection; None: close it."""
        while True:
            job = self.take()
            if job is not None:
                return job
            if session is None or not session.usable:
                return None
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._idle.add(waiting)
            try:
                await asyncio.wait_for(waiting, self._lanes.idle_seconds)
            except TimeoutError:
                if not self._jobs:
                    return None
            finally:
                self._idle.discard(waiting)

    def take(self) -> Attempt | None:
        """Take the next job that may begin; those that may not are given back."""
        while self._jobs:
            job = self._jobs.popleft()
            if self._lanes.may_begin(job):
                return job
            self._lanes.finish(job, None)
        return None

    async def _open(self, job: Attempt) -> Session | None:
        """Connect. A site that cannot be reached is so for all that wait for it: they share the result."""
        try:
            session = await self._lanes.connector.open(self._route)
        except AttemptFailed as failed:
            if self._connected:
                # It takes us, but not over so many connections: the others will see to the job.
                self._most = max(1, len(self.workers) - 1)
                self._jobs.appendleft(job)
                return None
            self._lanes.finish(job, Refused(failed.reply))
            waiting, self._jobs = self._jobs, deque()
            for other in waiting:
                result = Refused(failed.reply) if self._lanes.may_begin(other) else None
                self._lanes.finish(other, result)
            return None
        except BaseException:
            self._lanes.abandon(job)
            raise
        self._connected += 1
        return session

    async def _close(self, session: Session) -> None:
        self._connected -= 1
        await session.close()

    async def _carry_out(self, session: Session, conversation: _Conversation, job: Attempt) -> None:
        announced, conversation.announced = conversation.announced is not None, None
        if not self._lanes.may_begin(job):
            # Connecting took longer than the message, or our right to send it, lasted.
            self._lanes.finish(job, None)
            if announced:
                await session.close()
            return
        assert job.transaction is not None
        span = begin_span("relay", "smtp.transaction", job.traceparent)
        try:
            result = await session.send(job.transaction, conversation.following)
        except BaseException as error:
            span.fail(type(error).__name__)
            span.end()
            self._lanes.abandon(job)
            raise
        span.set(emta__result=type(result).__name__.lower())
        if isinstance(result, Refused):
            span.set(smtp__code=result.reply.code)
        span.end()
        self._lanes.finish(job, result)


class _Conversation:
    """What a connection was told to expect next: the envelope that went out behind a final dot."""

    def __init__(self, lane: _Lane) -> None:
        self._lane = lane
        self.announced: Attempt | None = None

    def following(self) -> Transaction | None:
        """Give the transaction whose envelope may go out now."""
        self.announced = self._lane.take()
        return self.announced.transaction if self.announced is not None else None
