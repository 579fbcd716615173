"""AcceptanceService: what Relays tell the outage guard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import grpc

from emta.bounce.v1 import acceptance_service_pb2_grpc
from emta.bounce.v1.acceptance_service_pb2 import (
    ReportAcceptancesRequest,
    ReportAcceptancesResponse,
    SiteAcceptances,
)
from emta.problems import invalid
from services.bounce.guard.guard import Guard
from services.chassis.store import store_problems

_MAX_SITES, _MAX_KEYS = 1_000, 20_000
_LONGEST_SITE = 255


class AcceptanceService(acceptance_service_pb2_grpc.AcceptanceServiceServicer):
    """Remembers for all Bounces of one store."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    async def ReportAcceptances(
        self, request: ReportAcceptancesRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> ReportAcceptancesResponse:
        """Remember who was accepted."""
        check_acceptances(request.acceptances)
        with store_problems():
            await self._guard.accepted(request.acceptances)
        return ReportAcceptancesResponse()


def check_acceptances(acceptances: Sequence[SiteAcceptances]) -> None:
    """Check what a Relay says it delivered."""
    if len(acceptances) > _MAX_SITES:
        raise invalid("acceptances", "BATCH_TOO_LARGE", f"acceptances has more than {_MAX_SITES} sites")
    if sum(len(told.recipient_keys) for told in acceptances) > _MAX_KEYS:
        raise invalid("acceptances", "BATCH_TOO_LARGE", f"acceptances has more than {_MAX_KEYS} keys")
    for told in acceptances:
        if not is_site(told.site):
            raise invalid("acceptances.site", "SITE_INVALID", "site is 1 to 255 printable ASCII characters")


def is_site(name: str) -> bool:
    """Whether it may name a site."""
    return 1 <= len(name) <= _LONGEST_SITE and name.isascii() and name.isprintable() and " " not in name
