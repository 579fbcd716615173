"""Lanes: the conversations with receiving sites, several messages over each connection."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from services.chassis.logs import Log
from services.chassis.telemetry import message_span
from services.relay.replies import AttemptFailed
from services.relay.session import Connector, Refused, Result, Session, Transaction

_log = Log("relay")


@dataclass
class Job:
    """A transaction that waits for its turn; its result is None when it was not allowed to begin."""

    transaction: Transaction
    traceparent: str
    may_begin: Callable[[], bool]
    result: asyncio.Future[Result | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Lanes:
    """A lane for every recipient domain that has work, with a few connections each."""

    def __init__(self, connector: Connector, *, connections: int, idle_seconds: float) -> None:
        self._connector = connector
        self._connections = connections
        self._idle_seconds = idle_seconds
        self._lanes: dict[str, _Lane] = {}

    async def send(self, domain: str, job: Job) -> Result | None:
        """Carry out a job over one of the domain's connections."""
        lane = self._lanes.get(domain)
        if lane is None:
            lane = self._lanes[domain] = _Lane(
                domain, self._connector, self._connections, self._idle_seconds, self._lanes
            )
        lane.add(job)
        return await job.result

    async def close(self) -> None:
        """Close all connections; jobs that have not begun are told so by their own `may_begin`."""
        workers = [worker for lane in self._lanes.values() for worker in lane.workers]
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


class _Lane:
    def __init__(
        self,
        domain: str,
        connector: Connector,
        connections: int,
        idle_seconds: float,
        lanes: dict[str, _Lane],
    ) -> None:
        self._domain = domain
        self._connector = connector
        self._connections = connections
        self._idle_seconds = idle_seconds
        self._lanes = lanes
        self._jobs: deque[Job] = deque()
        self._idle: set[asyncio.Future[None]] = set()
        self.workers: set[asyncio.Task[None]] = set()

    def add(self, job: Job) -> None:
        """Queue a job; wakes an idle connection or opens one more."""
        self._jobs.append(job)
        for waiting in self._idle:
            if not waiting.done():
                waiting.set_result(None)
                return
        self._staff()

    def _staff(self) -> None:
        """Open one more connection, if there may be one."""
        if len(self.workers) < self._connections:
            worker = asyncio.get_running_loop().create_task(self._work())
            self.workers.add(worker)
            worker.add_done_callback(self._left)

    def _left(self, worker: asyncio.Task[None]) -> None:
        self.workers.discard(worker)
        if worker.cancelled():
            return
        if (error := worker.exception()) is not None:
            _log.error("lane_failed", domain=self._domain, error=repr(error))
        if self._jobs:
            # They came while it was closing its connection, and found no room for another one.
            self._staff()
        elif not self.workers:
            self._lanes.pop(self._domain, None)

    async def _work(self) -> None:
        """One connection's life: jobs one after the other, a new connection when this one is used up."""
        session: Session | None = None
        try:
            while (job := await self._next(session)) is not None:
                if not job.may_begin():
                    _finish(job, None)
                    continue
                if session is not None and not session.usable:
                    await session.close()
                    session = None
                if session is None:
                    session = await self._open(job)
                if session is not None:
                    await self._carry_out(session, job)
        finally:
            if session is not None:
                await session.close()

    async def _next(self, session: Session | None) -> Job | None:
        """Give the next job, after a while of idleness with an open connection; None: close it."""
        while not self._jobs:
            if session is None or not session.usable:
                return None
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._idle.add(waiting)
            try:
                await asyncio.wait_for(waiting, self._idle_seconds)
            except TimeoutError:
                if not self._jobs:
                    return None
            finally:
                self._idle.discard(waiting)
        return self._jobs.popleft()

    async def _open(self, job: Job) -> Session | None:
        """Connect. A site that cannot be reached is so for all that wait for it: they share the result."""
        try:
            return await self._connector.open(self._domain)
        except AttemptFailed as failed:
            _finish(job, Refused(failed.reply))
            for waiting in self._jobs:
                _finish(waiting, Refused(failed.reply) if waiting.may_begin() else None)
            self._jobs.clear()
            return None
        except Exception as error:
            _fail(job, error)
            return None

    async def _carry_out(self, session: Session, job: Job) -> None:
        if not job.may_begin():
            # Connecting took longer than the message, or our right to send it, lasted.
            _finish(job, None)
            return
        try:
            with message_span("relay", "smtp.transaction", job.traceparent) as span:
                result = await session.send(job.transaction)
                span.set(emta__result=type(result).__name__.lower())
                if isinstance(result, Refused):
                    span.set(smtp__code=result.reply.code)
        except Exception as error:
            _fail(job, error)
            await session.close()
        else:
            _finish(job, result)


def _finish(job: Job, result: Result | None) -> None:
    if not job.result.done():
        job.result.set_result(result)


def _fail(job: Job, error: Exception) -> None:
    if not job.result.done():
        job.result.set_exception(error)
