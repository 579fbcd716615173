"""The Relay, put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from emta.relay.v1.relay_service_pb2_grpc import add_RelayServiceServicer_to_server
from services.chassis.clock import Clock, clock_of
from services.chassis.rpc import Server
from services.chassis.store import answers, open_store
from services.relay.deliver import Deliverer
from services.relay.dispatcher import Dispatcher
from services.relay.lanes import Lanes
from services.relay.mx import MxResolver
from services.relay.networks import Networks
from services.relay.peers import connected
from services.relay.reporter import Reporter
from services.relay.server import RelayService
from services.relay.session import Connector, Timeouts
from services.relay.settings import RelaySettings
from services.relay.store.queue import Queue


@asynccontextmanager
async def running(settings: RelaySettings, clock: Clock | None = None) -> AsyncIterator[Server]:
    """Serve until the block ends; then finish what is under way and give the rest back."""
    async with (
        open_store(settings, "relay") as store,
        clock_of(store, clock) as clock,
        connected(settings.signer, settings.bounce, settings.feedback) as peers,
    ):
        queue = Queue(store, settings.shards)
        await queue.fix_shards()
        lanes = Lanes(
            _connector(settings, clock),
            connections=settings.connections_per_site,
            idle_seconds=settings.idle_seconds,
        )
        reporter = Reporter(queue, peers)
        deliverer = Deliverer(queue, clock, lanes, peers, settings, settled=reporter.wake)
        dispatcher = Dispatcher(
            queue,
            clock,
            deliverer,
            max_in_flight=settings.max_in_flight,
            lease_seconds=settings.lease_seconds,
        )

        def accepted() -> None:
            dispatcher.wake()
            reporter.wake()

        service = RelayService(queue, clock, settings, accepted)
        server = Server(
            "relay",
            settings.listen,
            reflection=settings.reflection,
            drain_seconds=settings.drain_seconds,
            ready=lambda: answers(store),
        )
        server.add(add_RelayServiceServicer_to_server, service, "emta.relay.v1.RelayService")
        async with server:
            working = [asyncio.create_task(dispatcher.run()), asyncio.create_task(reporter.run())]
            try:
                yield server
            finally:
                service.stop()
                working[0].cancel()
                await dispatcher.drain(settings.drain_seconds)
                await lanes.close()
                working[1].cancel()
                await reporter.flush()


def _connector(settings: RelaySettings, clock: Clock) -> Connector:
    resolver = MxResolver(
        settings.resolvers,
        clock,
        timeout_seconds=settings.dns_timeout_seconds,
        ehlo_name=settings.ehlo_name,
    )
    timeouts = Timeouts(
        connect=settings.connect_timeout_seconds,
        greeting=settings.greeting_timeout_seconds,
        command=settings.command_timeout_seconds,
        data=settings.data_timeout_seconds,
        dot=settings.dot_timeout_seconds,
    )
    return Connector(
        resolver,
        Networks(settings.allowed_networks),
        ehlo_name=settings.ehlo_name,
        port=settings.smtp_port,
        timeouts=timeouts,
        starttls=settings.starttls,
        messages_per_connection=settings.messages_per_connection,
    )
