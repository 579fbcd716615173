"""Bounce, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from emta.bounce.v1.bounce_service_pb2_grpc import add_BounceServiceServicer_to_server
from services.bounce import catalogue
from services.bounce.server import BounceService
from services.bounce.settings import BounceSettings
from services.chassis.clock import Clock
from services.chassis.rpc import Server


@asynccontextmanager
async def running(settings: BounceSettings, clock: Clock | None = None) -> AsyncIterator[Server]:
    """Serve until the block ends. Bounce has no state, and so far no use for the clock."""
    server = Server(
        "bounce", settings.listen, reflection=settings.reflection, drain_seconds=settings.drain_seconds
    )
    service = BounceService(catalogue.load())
    server.add(add_BounceServiceServicer_to_server, service, "emta.bounce.v1.BounceService")
    async with server:
        yield server
