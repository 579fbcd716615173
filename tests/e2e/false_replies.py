"""A provider that errs: a scripted receiver stands where its real servers would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from emta.feedback.v1.requalify_service_pb2 import (
    OutcomeFilter,
    RequalifyOutcomesRequest,
    RequalifyOutcomesResponse,
)
from tests.e2e.conftest import World
from tests.integration.relay.scripted_server import ScriptedServer
from tests.support.clock import ManualClock

# Far from those that the example zone gives to its hosts.
_ADDRESS = "127.0.99.1"


@asynccontextmanager
async def provider(world: World, mx_host: str, domains: Sequence[str]) -> AsyncIterator[ScriptedServer]:
    """Receive for `domains` at `mx_host`; change the replies of what is given to make it err."""
    server = ScriptedServer()
    world.receiver.zone.add(mx_host, "A", _ADDRESS)
    for domain in domains:
        world.receiver.zone.add(domain, "MX", f"5 {mx_host}.")
    listening = await asyncio.start_server(server.serve, _ADDRESS, world.receiver.smtp_port)
    try:
        yield server
    finally:
        listening.close()


def clock_at(*date: int) -> ManualClock:
    """A clock that stands at a date and time of day, UTC."""
    return ManualClock(round(datetime(*date, tzinfo=UTC).timestamp() * 1000))  # type: ignore[arg-type]


def window(start: datetime, end: datetime, **fields: object) -> OutcomeFilter:
    """A filter for failures between two times, UTC."""
    wanted = OutcomeFilter(**fields)  # type: ignore[arg-type]
    wanted.from_time.FromDatetime(start)
    wanted.to_time.FromDatetime(end)
    return wanted


async def requalify(
    world: World, wanted: OutcomeFilter, *, dry_run: bool = False, allow_resubmit: bool = False
) -> RequalifyOutcomesResponse:
    """Requalify; gives the figures of all answers together."""
    request = RequalifyOutcomesRequest(
        filter=wanted,
        dry_run=dry_run,
        allow_resubmit=allow_resubmit,
        actor="anna@shop.example",
        comment="the provider's error, told by its status page",
    )
    together = RequalifyOutcomesResponse()
    async for answer in world.client.requalify(request):
        for name in ("examined", "matched", "corrected", "corrected_before", "resubmittable"):
            setattr(together, name, getattr(together, name) + getattr(answer, name))
        together.groups.extend(answer.groups)
        together.matches.extend(answer.matches)
    return together
