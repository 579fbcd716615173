"""Routes of attempts: from the cache, or one look-up for all that wait for a domain."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from emta.bounce.v1.smtp_reply_pb2 import SmtpReply
from services.chassis.logs import Log
from services.relay.attempt import Attempt
from services.relay.mx import MxResolver, Route
from services.relay.replies import AttemptFailed

_log = Log("relay")


class Router:
    """Finds the way of each attempt, and hands it on: `routed`, or `failed` where there is none.

    `dropped`: a defect of ours; its lease runs out.
    """

    def __init__(
        self,
        resolver: MxResolver,
        *,
        routed: Callable[[Attempt, Route], None],
        failed: Callable[[Attempt, SmtpReply], None],
        dropped: Callable[[Attempt], None],
    ) -> None:
        self._resolver = resolver
        self._routed = routed
        self._failed = failed
        self._dropped = dropped
        self._waiting: dict[str, list[Attempt]] = {}  # by domain that is looked up
        self._lookups: set[asyncio.Task[None]] = set()

    def add(self, attempt: Attempt) -> None:
        """Route an attempt: at once where the way is known."""
        domain = attempt.claimed.domain
        route = self._resolver.known(domain)
        if route is not None:
            self._routed(attempt, route)
        elif domain in self._waiting:
            self._waiting[domain].append(attempt)
        else:
            self._waiting[domain] = [attempt]
            task = asyncio.create_task(self._look_up(domain))
            self._lookups.add(task)
            task.add_done_callback(self._lookups.discard)

    def close(self) -> None:
        """Look nothing up any more."""
        self._resolver.close()

    async def _look_up(self, domain: str) -> None:
        try:
            route = await self._resolver.route(domain)
        except AttemptFailed as failed:
            for attempt in self._waiting.pop(domain):
                self._failed(attempt, failed.reply)
        except Exception as error:
            _log.error("look_up_failed", domain=domain, error=repr(error))
            for attempt in self._waiting.pop(domain):
                self._dropped(attempt)
        else:
            for attempt in self._waiting.pop(domain):
                self._routed(attempt, route)
