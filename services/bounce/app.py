"""Bounce, put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from emta.bounce.v1.acceptance_service_pb2_grpc import add_AcceptanceServiceServicer_to_server
from emta.bounce.v1.bounce_service_pb2_grpc import add_BounceServiceServicer_to_server
from emta.bounce.v1.inbound_service_pb2_grpc import add_InboundServiceServicer_to_server
from emta.bounce.v1.incident_service_pb2_grpc import add_IncidentServiceServicer_to_server
from emta.bounce.v1.qualifications_service_pb2_grpc import add_QualificationsServiceServicer_to_server
from emta.bounce.v1.rules_service_pb2_grpc import add_RulesServiceServicer_to_server
from emta.problems import failed_precondition
from services.bounce.catalogue.live_rules import LiveRules
from services.bounce.catalogue.rule_file import RuleError
from services.bounce.catalogue.rules_service import RulesService
from services.bounce.guard.acceptance_service import AcceptanceService
from services.bounce.guard.guard import Guard
from services.bounce.guard.incident_service import IncidentService
from services.bounce.inbound.feedback import connected
from services.bounce.inbound.inbound_service import InboundService
from services.bounce.rows.counting import Counting
from services.bounce.rows.live_edits import LiveEdits
from services.bounce.rows.qualifications_service import QualificationsService
from services.bounce.server import BounceService
from services.bounce.settings import BounceSettings
from services.bounce.store.guard import GuardStore
from services.bounce.store.rows import RowStore
from services.chassis.clock import Clock, clock_of
from services.chassis.rpc import Server
from services.chassis.store import open_store


@asynccontextmanager
async def running(settings: BounceSettings, clock: Clock | None = None) -> AsyncIterator[Server]:
    """Serve until the block ends. Raises Problem where the rules are wrong.

    Replies are qualified while the store is away, too: readiness does not ask for it.
    """
    try:
        rules = LiveRules(settings.rules)
    except RuleError as error:
        raise failed_precondition("RULES_REFUSED", str(error)) from None
    server = Server(
        "bounce", settings.listen, reflection=settings.reflection, drain_seconds=settings.drain_seconds
    )
    async with (
        open_store(settings, "bounce") as store,
        clock_of(store, clock) as clock,
        rules.following(clock),
        connected(settings.feedback) as feedback,
    ):
        rows = RowStore(store, settings.qualification_rows, settings.first_text_days)
        counting = Counting(rows, clock)
        edits = LiveEdits(rows, rules)
        incidents = GuardStore(store)
        guard = Guard(incidents, clock, settings)
        bounce = BounceService(rules, counting, guard)
        server.add(add_BounceServiceServicer_to_server, bounce, "emta.bounce.v1.BounceService")
        server.add(add_RulesServiceServicer_to_server, RulesService(rules), "emta.bounce.v1.RulesService")
        inbound = InboundService(rules, counting, feedback, clock, settings.return_paths)
        server.add(add_InboundServiceServicer_to_server, inbound, "emta.bounce.v1.InboundService")
        server.add(
            add_QualificationsServiceServicer_to_server,
            QualificationsService(rows, edits, rules, clock),
            "emta.bounce.v1.QualificationsService",
        )
        server.add(
            add_AcceptanceServiceServicer_to_server,
            AcceptanceService(guard),
            "emta.bounce.v1.AcceptanceService",
        )
        server.add(
            add_IncidentServiceServicer_to_server,
            IncidentService(incidents, guard, clock),
            "emta.bounce.v1.IncidentService",
        )
        async with edits.following(clock), counting.running(), guard.watching(), server:
            yield server
