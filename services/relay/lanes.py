"""Lanes: what waits for receiving servers, and who takes it there.

A lane is for one route: domains with the same mail servers share its connections. Lanes whose servers
belong to one site share the site's limits, with those of all other Relays.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from services.chassis.clock import Clock
from services.relay.attempt import Attempt
from services.relay.backlog import Backlog
from services.relay.lane import LATELY_MS, Lane
from services.relay.limits import Limits
from services.relay.mx_rules import Site
from services.relay.transaction import Result


class Lanes:
    """A lane for every route that has work, with a few connections each.

    `work(lane)` is a delivery agent at work: until nothing waits on its lane any more. `may_begin(job)` is
    asked right before a transaction; `ended(job, result)` is told the result, None when it was not allowed
    to begin. `put_off(job, due_ms)`: its site has no room for it. `abandoned(job)`: a defect of ours;
    nobody knows what became of it.
    """

    def __init__(
        self,
        limits: Limits,
        clock: Clock,
        *,
        connections: int,
        work: Callable[[Lane], Coroutine[Any, Any, None]],
        may_begin: Callable[[Attempt], bool],
        ended: Callable[[Attempt, Result | None], None],
        put_off: Callable[[Attempt, int], None],
        abandoned: Callable[[Attempt], None],
    ) -> None:
        """`connections`: to one route at once, from this process."""
        self.limits = limits
        self.clock = clock
        self.connections = connections
        self.backlog = Backlog(connections)
        self.work = work
        self.may_begin = may_begin
        self.ended = ended
        self.put_off = put_off
        self.abandoned = abandoned
        # By route, when it took a connection lately: it may have no lane meanwhile.
        self.connected_ms: dict[str, int] = {}
        self._lanes: dict[str, Lane] = {}

    def expect(self, job: Attempt) -> None:
        """An attempt has begun: it will enter, or it ends without."""
        self.backlog.expect(job.claimed.domain)

    def enter(self, job: Attempt) -> bool:
        """Count an attempt among what waits for its site; False: that has so much waiting that more would
        only be in the way of others, and it is `put_off`."""
        site, now_ms = self._site(job), self.clock.now_ms()
        if self.backlog.is_full(site, now_ms):
            self.put_off(job, self.backlog.appointment(site, now_ms))
            return False
        job.site, job.waits = site.name, True
        self.backlog.add(job.claimed.domain, site, now_ms)
        return True

    def add(self, job: Attempt) -> None:
        """Queue an attempt that has entered, and is signed now, on the lane of its route."""
        route = job.route
        assert route is not None
        lane = self._lanes.get(route.key)
        if lane is None:
            lane = self._lanes[route.key] = Lane(route, self._site(job), self)
            self.backlog.lane_opened(lane.site, self.clock.now_ms())
        lane.add(job)

    def left(self, job: Attempt) -> None:
        """An attempt has ended, wherever it was. Idempotent for one that went over a lane."""
        if not job.site:
            self.backlog.unexpected(job.claimed.domain)
        else:
            self.gone(job)

    def gone(self, job: Attempt) -> None:
        """An attempt waits for its site no more. Idempotent."""
        if job.waits:
            job.waits = False
            self.backlog.remove(job.claimed.domain, self._site(job))

    def _site(self, job: Attempt) -> Site:
        assert job.route is not None
        return self.limits.rules.site(job.route.best_host)

    def room(self) -> dict[str, int]:
        """How much more of a domain may be claimed, where that is less than CLAIM_OF_A_DOMAIN."""
        return self.backlog.room(self.clock.now_ms())

    def sweep(self) -> None:
        """Give back what may not begin any more, wherever it waits, and what waits where nothing moves."""
        for lane in list(self._lanes.values()):
            lane.sweep()
        lately_ms = self.clock.now_ms() - LATELY_MS
        self.connected_ms = {key: at_ms for key, at_ms in self.connected_ms.items() if at_ms > lately_ms}

    async def close(self) -> None:
        """Close all connections."""
        agents = [agent for lane in self._lanes.values() for agent in lane.agents]
        for agent in agents:
            agent.cancel()
        await asyncio.gather(*agents, return_exceptions=True)

    def forget(self, lane: Lane) -> None:
        """A lane is empty."""
        del self._lanes[lane.route.key]
        self.backlog.lane_closed(lane.site)
