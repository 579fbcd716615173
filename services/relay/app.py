"""The Relay, put together."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from redis.asyncio import Redis

from emta.relay.v1.relay_service_pb2_grpc import add_RelayServiceServicer_to_server
from emta.relay.v1.site_service_pb2_grpc import add_SiteServiceServicer_to_server
from services.chassis.background import beside
from services.chassis.clock import Clock, clock_of
from services.chassis.headroom import Headroom, Marks
from services.chassis.logs import Log
from services.chassis.rpc import Server
from services.chassis.store import answers, open_store
from services.relay.acceptances import Acceptances
from services.relay.connection import Timeouts
from services.relay.connector import Connector
from services.relay.deliver import Deliverer
from services.relay.dispatcher import Dispatcher
from services.relay.intake import Intake
from services.relay.limits import Limits
from services.relay.mx import MxResolver
from services.relay.mx_rules import MxRules
from services.relay.networks import Networks
from services.relay.peers import connected
from services.relay.reporter import Reporter
from services.relay.server import RelayService
from services.relay.settings import RelaySettings
from services.relay.shards import Shards
from services.relay.site_service import SiteService
from services.relay.store.accept import Acceptor
from services.relay.store.bodies import Bodies
from services.relay.store.limits import LimitStore
from services.relay.store.outbox import Outbox
from services.relay.store.owners import Owners
from services.relay.store.queue import Queue
from services.relay.store.recipient_secret import recipient_secret

_log = Log("relay")


@asynccontextmanager
async def running(settings: RelaySettings, clock: Clock | None = None) -> AsyncIterator[Server]:
    """Serve until the block ends; then finish what is under way and give the rest back."""
    async with (
        open_store(settings, "relay") as store,
        clock_of(store, clock) as clock,
        connected(settings.signer, settings.bounce, settings.feedback) as peers,
    ):
        owners = Owners(store, settings.shards)
        await owners.fix_shards()
        bodies = Bodies()
        acceptor = Acceptor(
            store, bodies, settings.shards, outbox_max=settings.outbox_max, acks=settings.acks
        )
        queue = Queue(store, bodies, acks=settings.acks)
        relay_id = f"{socket.gethostname()}/{os.getpid()}/{secrets.token_hex(4)}"
        shards = Shards(owners, clock, relay_id, settings.lease_seconds)
        reporter = Reporter(Outbox(store), shards, peers)
        limit_store, rules = LimitStore(store), MxRules.load(settings.mx_rules)
        limits = Limits(limit_store, clock, rules, relay_id, settings.lease_seconds)
        marks = Marks(
            settings.memory_accept_percent, settings.disk_accept_percent, settings.disk_deliver_percent
        )
        headroom, intake = Headroom(store, marks), Intake()

        def accepted() -> None:
            dispatcher.accepted()
            reporter.wake()

        def signed() -> None:
            dispatcher.has_room()

        def settled(due_ms: int | None) -> None:
            dispatcher.has_room(due_ms)
            reporter.wake()

        deliverer = Deliverer(
            queue,
            clock,
            _resolver(settings, clock),
            _connector(settings),
            limits,
            peers,
            Acceptances(await recipient_secret(store), on=settings.report_acceptances),
            settings,
            signed=signed,
            settled=settled,
        )
        dispatcher = Dispatcher(
            queue,
            clock,
            shards,
            deliverer,
            headroom,
            in_a_flood=intake.in_a_flood,
            max_in_flight=settings.max_in_flight,
            max_octets=settings.max_in_flight_octets,
            lease_seconds=settings.lease_seconds,
            drain_seconds=settings.drain_seconds,
        )
        service = RelayService(acceptor, clock, settings, headroom, intake, accepted, peers.rows)
        sites = SiteService(limit_store, rules, clock)
        async with (
            _server(settings, store, service, sites) as server,
            shards.running(),
            reporter.running(),
            limits.running(),
            deliverer.running(),
            beside(headroom.run, _log),
            dispatcher.running(),
        ):
            try:
                yield server
            finally:
                service.stop()


def _server(settings: RelaySettings, store: Redis, service: RelayService, sites: SiteService) -> Server:
    server = Server(
        "relay",
        settings.listen,
        reflection=settings.reflection,
        drain_seconds=settings.drain_seconds,
        ready=lambda: answers(store),
        share_port=settings.share_port,
    )
    server.add(add_RelayServiceServicer_to_server, service, "emta.relay.v1.RelayService")
    server.add(add_SiteServiceServicer_to_server, sites, "emta.relay.v1.SiteService")
    return server


def _resolver(settings: RelaySettings, clock: Clock) -> MxResolver:
    return MxResolver(
        settings.resolvers,
        clock,
        timeout_seconds=settings.dns_timeout_seconds,
        ehlo_name=settings.ehlo_name,
    )


def _connector(settings: RelaySettings) -> Connector:
    timeouts = Timeouts(
        connect=settings.connect_timeout_seconds,
        greeting=settings.greeting_timeout_seconds,
        command=settings.command_timeout_seconds,
        data=settings.data_timeout_seconds,
        dot=settings.dot_timeout_seconds,
    )
    return Connector(
        Networks(settings.allowed_networks),
        ehlo_name=settings.ehlo_name,
        port=settings.smtp_port,
        timeouts=timeouts,
        starttls=settings.starttls,
        messages_per_connection=settings.messages_per_connection,
    )
