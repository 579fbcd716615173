"""Lanes: what waits for receiving servers, and the connections that take it there.

A lane is for one route: domains with the same mail servers share its connections. Lanes whose servers
belong to one site share the site's limits, with those of all other Relays.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable

from services.chassis.clock import Clock
from services.chassis.logs import Log
from services.chassis.telemetry import begin_span
from services.relay.attempt import Attempt
from services.relay.connector import Connector
from services.relay.limits import Limits, Slot
from services.relay.mx import Route
from services.relay.mx_rules import Site
from services.relay.replies import AttemptFailed
from services.relay.session import Session
from services.relay.transaction import Refused, Result, Transaction

_log = Log("relay")

# Messages that wait for each connection that a site may have: enough to keep it busy until the next claim.
_WAITING_PER_CONNECTION = 20
# Of a site with a rate, what it takes in so many seconds.
_WAITING_SECONDS = 30.0
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
        limits: Limits,
        clock: Clock,
        *,
        connections: int,
        idle_seconds: float,
        may_begin: Callable[[Attempt], bool],
        ended: Callable[[Attempt, Result | None], None],
        abandoned: Callable[[Attempt], None],
    ) -> None:
        """`connections`: to one route at once, from this process."""
        self.connector = connector
        self.limits = limits
        self.clock = clock
        self.connections = connections
        self.idle_seconds = idle_seconds
        self.may_begin = may_begin
        self._ended = ended
        self._abandoned = abandoned
        self._lanes: dict[str, _Lane] = {}
        self._waiting: Counter[str] = Counter()  # by name of the site
        self._sites: dict[str, Site] = {}  # by domain, of what waits
        self._domains: Counter[str] = Counter()

    def add(self, job: Attempt) -> None:
        """Queue a signed attempt on the lane of its route."""
        route = job.route
        assert route is not None
        lane = self._lanes.get(route.key)
        if lane is None:
            site = self.limits.rules.site(route.best_host)
            lane = self._lanes[route.key] = _Lane(route, site, self)
        job.site = lane.site.name
        domain = job.claimed.domain
        self._waiting[lane.site.name] += 1
        self._domains[domain] += 1
        self._sites[domain] = lane.site
        lane.add(job)

    def room(self, usual: int) -> dict[str, int]:
        """How much more of a domain may be claimed, for the domains where that is less than `usual`."""
        room = {domain: self._room(site) for domain, site in self._sites.items()}
        return {domain: max(0, left) for domain, left in room.items() if left < usual}

    def is_full(self, route: Route) -> bool:
        """Whether a site has so much waiting that more of it would only be in the way of others."""
        site = self.limits.rules.site(route.best_host)
        return self._room(site) < -self._most(site)

    def _room(self, site: Site) -> int:
        return self._most(site) - self._waiting[site.name]

    def _most(self, site: Site) -> int:
        most = min(self.connections, site.rule.connections) * _WAITING_PER_CONNECTION
        if site.rule.messages_per_second is not None:
            most = min(most, max(1, int(site.rule.messages_per_second * _WAITING_SECONDS)))
        return most

    def sweep(self) -> None:
        """Give back what may not begin any more, wherever it waits."""
        for lane in list(self._lanes.values()):
            lane.sweep()

    async def close(self) -> None:
        """Close all connections."""
        workers = [worker for lane in self._lanes.values() for worker in lane.workers]
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    def finish(self, job: Attempt, site: Site, result: Result | None) -> None:
        """A job leaves its lane."""
        self._leave(job, site)
        self._ended(job, result)

    def abandon(self, job: Attempt, site: Site) -> None:
        """A job is lost to a defect of ours."""
        self._leave(job, site)
        self._abandoned(job)

    def _leave(self, job: Attempt, site: Site) -> None:
        domain = job.claimed.domain
        self._waiting[site.name] -= 1
        self._domains[domain] -= 1
        if not self._domains[domain]:
            del self._domains[domain], self._sites[domain]
        if not self._waiting[site.name]:
            del self._waiting[site.name]

    def forget(self, key: str) -> None:
        """A lane is empty."""
        self._lanes.pop(key, None)


class _Lane:
    """The jobs of a route, and the workers that see to them."""

    def __init__(self, route: Route, site: Site, lanes: Lanes) -> None:
        self.route = route
        self.site = site
        self.lanes = lanes
        self.jobs: deque[Attempt] = deque()
        self.idle: set[asyncio.Future[None]] = set()
        self.connected = 0
        self._most = lanes.connections
        self.workers: set[asyncio.Task[None]] = set()

    def add(self, job: Attempt) -> None:
        """Queue a job; wakes an idle connection or opens one more where that is worth it."""
        self.jobs.append(job)
        while self.idle:
            waiting = self.idle.pop()
            if not waiting.done():
                waiting.set_result(None)
                return
        if len(self.jobs) > _WORTH_A_CONNECTION * len(self.workers):
            self._staff()

    def sweep(self) -> None:
        """Give back what may not begin any more."""
        jobs, self.jobs = self.jobs, deque()
        for job in jobs:
            if self.lanes.may_begin(job):
                self.jobs.append(job)
            else:
                self.lanes.finish(job, self.site, None)

    def take(self) -> Attempt | None:
        """Take the next job that may begin now; None: there is none, or the site's rate forbids it."""
        while self.jobs:
            job = self.jobs[0]
            if self.lanes.may_begin(job):
                if not self.lanes.limits.take(self.site):
                    return None
                return self.jobs.popleft()
            self.jobs.popleft()
            self.lanes.finish(job, self.site, None)
        return None

    def put_back(self, job: Attempt) -> None:
        """A job that was taken does not begin on this connection."""
        self.jobs.appendleft(job)
        self.lanes.limits.give_back(self.site)

    def refused(self, failed: AttemptFailed, job: Attempt) -> None:
        """A connection could not be opened. All that waits for the site shares the result."""
        self.lanes.limits.give_back(self.site)
        if self.connected:
            # It takes us, but not over so many connections: the others will see to the job.
            self._most = max(1, len(self.workers) - 1)
            self.jobs.appendleft(job)
            return
        waiting, self.jobs = [job, *self.jobs], deque()
        for each in waiting:
            result = Refused(failed.reply) if self.lanes.may_begin(each) else None
            self.lanes.finish(each, self.site, result)

    def _staff(self) -> None:
        """Have one more worker, if there may be one."""
        if len(self.workers) < self._most:
            worker = asyncio.get_running_loop().create_task(_Worker(self).run())
            self.workers.add(worker)
            worker.add_done_callback(self._left)

    def _left(self, worker: asyncio.Task[None]) -> None:
        self.workers.discard(worker)
        if worker.cancelled():
            return
        if (error := worker.exception()) is not None:
            _log.error("lane_failed", route=self.route.key, error=repr(error))
        if self.jobs:
            # They came while it was closing its connection, and found no room for another one.
            self._staff()
        elif not self.workers:
            self.lanes.forget(self.route.key)


class _Worker:
    """One connection at a time: jobs one after the other, a new connection when this one is used up."""

    def __init__(self, lane: _Lane) -> None:
        self._lane = lane
        self._limits = lane.lanes.limits
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
                if lane.jobs and lane.lanes.may_begin(lane.jobs[0]):
                    return lane.jobs.popleft()
                self._limits.give_back(lane.site)
            elif self._session is None or not await self._idle():
                return None
        return job

    async def _rate(self) -> None:
        """Wait for a token of the site; not with an open connection when that takes long."""
        now_ms = self._lane.lanes.clock.now_ms()
        if self._limits.ready_ms(self._lane.site) - now_ms > self._lane.lanes.idle_seconds * 1000:
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
            await asyncio.wait_for(waiting, lane.lanes.idle_seconds)
        except TimeoutError:
            return bool(lane.jobs)
        finally:
            lane.idle.discard(waiting)
        return True

    async def _is_connected(self, job: Attempt, slot: Slot) -> bool:
        """Have an open connection for a job; False: there is none for it, and it is not ours any more."""
        lane = self._lane
        if not slot.valid(lane.lanes.clock.now_ms()):
            self._announced = None
            lane.put_back(job)
            return False
        if self._session is not None and (not self._session.usable or self._left <= 0):
            self._announced = None
            await self._close()
        if self._session is not None:
            return True
        try:
            self._session = await lane.lanes.connector.open(lane.route)
        except AttemptFailed as failed:
            lane.refused(failed, job)
            return False
        except BaseException:
            lane.lanes.abandon(job, lane.site)
            raise
        self._left = lane.site.rule.messages_per_connection
        lane.connected += 1
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
        if not lane.lanes.may_begin(job):
            # Connecting took longer than the message, or our right to send it, lasted.
            self._limits.give_back(lane.site)
            lane.lanes.finish(job, lane.site, None)
            if announced:
                await self._close()
            return
        self._left -= 1
        span = begin_span("relay", "smtp.transaction", job.traceparent)
        try:
            result = await session.send(job.transaction, self._following)
        except BaseException as error:
            span.fail(type(error).__name__)
            span.end()
            lane.lanes.abandon(job, lane.site)
            raise
        span.set(emta__result=type(result).__name__.lower())
        if isinstance(result, Refused):
            span.set(smtp__code=result.reply.code)
        span.end()
        lane.lanes.finish(job, lane.site, result)

    def _following(self) -> Transaction | None:
        """Give the transaction whose envelope may go out now."""
        if self._left > 0:
            self._announced = self._lane.take()
        return self._announced.transaction if self._announced is not None else None
