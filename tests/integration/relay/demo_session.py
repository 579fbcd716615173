"""A session of ours with the demo's receiver, which writes down all that a client does wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

from demo.receiver import Receiver
from services.relay.connector import Connector
from services.relay.mx import MxResolver
from services.relay.networks import Networks
from services.relay.session import Session
from tests.integration.relay.scripted_world import PATIENT
from tests.support.clock import ManualClock


@asynccontextmanager
async def demo_session(
    clock: ManualClock, *, starttls: bool, messages_per_connection: int
) -> AsyncIterator[tuple[Receiver, Session]]:
    """Open a session for new.example."""
    async with Receiver(clock=clock) as receiver:
        receiver.zone.add_site("new.example")
        await receiver.follow_zone()
        resolver = MxResolver(
            [receiver.dns_address], clock, timeout_seconds=5, ehlo_name="relay.emta.example"
        )
        connector = Connector(
            Networks(["127.0.0.0/8"]),
            ehlo_name="relay.emta.example",
            port=receiver.smtp_port,
            timeouts=PATIENT,
            starttls=starttls,
            messages_per_connection=messages_per_connection,
        )
        with closing(resolver):
            route = await resolver.route("new.example")
        yield receiver, await connector.open(route)
