"""Feedback, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from emta.feedback.v1.feedback_service_pb2_grpc import add_FeedbackServiceServicer_to_server
from emta.feedback.v1.requalify_service_pb2_grpc import add_RequalifyServiceServicer_to_server
from services.chassis.clock import Clock, clock_of
from services.chassis.rpc import Server
from services.chassis.store import answers, open_store
from services.feedback.requalify_server import RequalifyService
from services.feedback.server import FeedbackService
from services.feedback.settings import FeedbackSettings
from services.feedback.watch import Bell


@asynccontextmanager
async def running(settings: FeedbackSettings, clock: Clock | None = None) -> AsyncIterator[Server]:
    """Serve until the block ends."""
    async with open_store(settings, "feedback") as store, clock_of(store, clock) as clock:
        bell = Bell()
        server = Server(
            "feedback",
            settings.listen,
            reflection=settings.reflection,
            drain_seconds=settings.drain_seconds,
            ready=lambda: answers(store),
        )
        service = FeedbackService(store, clock, bell, settings.acks)
        server.add(add_FeedbackServiceServicer_to_server, service, "emta.feedback.v1.FeedbackService")
        requalify = RequalifyService(store, clock, bell, settings.acks)
        server.add(add_RequalifyServiceServicer_to_server, requalify, "emta.feedback.v1.RequalifyService")
        async with server:
            try:
                yield server
            finally:
                bell.stop()
