"""A lane: what waits for one route, and the agents that take it there."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from services.chassis.logs import Log
from services.relay.attempt import Attempt
from services.relay.mx import Route
from services.relay.mx_rules import Site
from services.relay.replies import AttemptFailed
from services.relay.transaction import Refused, Result

if TYPE_CHECKING:
    from services.relay.lanes import Lanes

_log = Log("relay")

# Messages that have to wait before one more connection is worth opening: a connection costs about as much
# as four to six messages over an open one (three round trips more, and a TLS handshake).
_WORTH_A_CONNECTION = 4
# Who took a connection so lately takes us: that it refuses one more says nothing about what waits. It is
# asked again after a pause.
LATELY_MS, _PAUSE_SECONDS = 10_000, 1.0


class Lane:
    """The jobs of a route, and the agents that see to them."""

    def __init__(self, route: Route, site: Site, lanes: Lanes) -> None:
        self.route = route
        self.site = site
        self.may_begin = lanes.may_begin
        self._lanes = lanes
        self.jobs: deque[Attempt] = deque()
        self.idle: set[asyncio.Future[None]] = set()
        self.connected = 0
        self.agents: set[asyncio.Task[None]] = set()
        self._most_agents = lanes.connections
        self._takes_us = route.key in lanes.connected_ms  # until then one connection at a time is tried
        self._pausing = False

    def add(self, job: Attempt) -> None:
        """Queue a job; wakes an idle connection or opens one more where that is worth it."""
        self.jobs.append(job)
        while self.idle:
            waiting = self.idle.pop()
            if not waiting.done():
                waiting.set_result(None)
                return
        if len(self.jobs) > _WORTH_A_CONNECTION * len(self.agents):
            self._staff()

    def sweep(self) -> None:
        """Give back what may not begin any more; where nothing moves, all but what is on a connection."""
        backlog, now_ms = self._lanes.backlog, self._lanes.clock.now_ms()
        is_stuck = backlog.is_stuck(self.site, now_ms)
        jobs, self.jobs = self.jobs, deque()
        for job in jobs:
            if not self.may_begin(job):
                self.finish(job, None)
            elif is_stuck:
                self._lanes.gone(job)
                self._lanes.put_off(job, backlog.appointment(self.site, now_ms))
            else:
                self.jobs.append(job)

    def opened(self) -> None:
        """A connection has been opened."""
        now_ms = self._lanes.clock.now_ms()
        self.connected += 1
        self._takes_us = True
        self._lanes.connected_ms[self.route.key] = now_ms
        self._lanes.backlog.connected(self.site, now_ms)
        # It takes us: what waits is worth more of them now.
        wanted = len(self.jobs) // _WORTH_A_CONNECTION
        for _ in range(wanted - len(self.agents)):
            self._staff()

    def take(self) -> Attempt | None:
        """Take the next job that may begin now; None: there is none, or the site's rate forbids it."""
        while self.jobs:
            job = self.jobs[0]
            if self.may_begin(job):
                if not self._lanes.limits.take(self.site):
                    return None
                return self.jobs.popleft()
            self.jobs.popleft()
            self.finish(job, None)
        return None

    def put_back(self, job: Attempt) -> None:
        """A job that was taken does not begin on this connection."""
        self.jobs.appendleft(job)
        self._lanes.limits.give_back(self.site)

    def refused(self, failed: AttemptFailed, job: Attempt) -> None:
        """A connection could not be opened. All that waits for the site shares the result."""
        self._lanes.limits.give_back(self.site)
        lately_ms = self._lanes.clock.now_ms() - LATELY_MS
        if self.connected or self._lanes.connected_ms.get(self.route.key, 0) > lately_ms:
            # It takes us, but not over so many connections.
            self._most_agents = max(1, len(self.agents) - 1)
            self.jobs.appendleft(job)
            if not self._pausing:
                self._pausing = True
                asyncio.get_running_loop().call_later(_PAUSE_SECONDS, self._go_on)
            return
        waiting, self.jobs = [job, *self.jobs], deque()
        for each in waiting:
            result = Refused(failed.reply) if self.may_begin(each) else None
            self.finish(each, result)

    def done(self, job: Attempt, result: Result | None) -> None:
        """A job's transaction has come to its end."""
        self._lanes.backlog.took(self.site, self._lanes.clock.now_ms())
        self.finish(job, result)

    def finish(self, job: Attempt, result: Result | None) -> None:
        """A job leaves the lane."""
        self._lanes.gone(job)
        self._lanes.ended(job, result)

    def abandon(self, job: Attempt) -> None:
        """A job is lost to a defect of ours."""
        self._lanes.gone(job)
        self._lanes.abandoned(job)

    def _staff(self) -> None:
        """Have one more agent, if there may be one."""
        most = self._most_agents if self._takes_us else 1
        if len(self.agents) < most and not self._pausing:
            agent = asyncio.get_running_loop().create_task(self._lanes.work(self))
            self.agents.add(agent)
            agent.add_done_callback(self._left)

    def _left(self, agent: asyncio.Task[None]) -> None:
        self.agents.discard(agent)
        if agent.cancelled():
            return
        if (error := agent.exception()) is not None:
            _log.error("lane_failed", route=self.route.key, error=repr(error))
        if not self._pausing:
            self._see_to_jobs()

    def _go_on(self) -> None:
        self._pausing = False
        self._see_to_jobs()

    def _see_to_jobs(self) -> None:
        if self.jobs:
            # They came while an agent was closing its connection, and found no room for another one.
            self._staff()
        elif not self.agents:
            self._lanes.forget(self)
