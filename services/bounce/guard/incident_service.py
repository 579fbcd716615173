"""IncidentService: incidents, shown to operators and closed by them."""

from __future__ import annotations

from typing import Any

import grpc

from emta.bounce.v1 import incident_service_pb2_grpc
from emta.bounce.v1.incident_service_pb2 import (
    CloseIncidentRequest,
    CloseIncidentResponse,
    GetIncidentRequest,
    GetIncidentResponse,
    Incident,
    IncidentEnd,
    ListIncidentsRequest,
    ListIncidentsResponse,
)
from emta.problems import failed_precondition, invalid, not_found
from services.bounce.guard.guard import Guard
from services.bounce.store.guard import GuardStore
from services.chassis.audit import check_signature
from services.chassis.clock import Clock
from services.chassis.paging import decode_position, encode_position, page_size
from services.chassis.store import store_problems

_MAX_PAGE = 1_000
_VERDICTS = (IncidentEnd.INCIDENT_END_REAL, IncidentEnd.INCIDENT_END_OUTAGE)

_Context = grpc.aio.ServicerContext[Any, Any]


class IncidentService(incident_service_pb2_grpc.IncidentServiceServicer):
    """Speaks about the incidents of one store."""

    def __init__(self, store: GuardStore, guard: Guard, clock: Clock) -> None:
        self._store = store
        self._guard = guard
        self._clock = clock

    async def ListIncidents(
        self, request: ListIncidentsRequest, context: _Context
    ) -> ListIncidentsResponse:
        """List a page."""
        size = page_size(request.page_size, _MAX_PAGE)
        skip = decode_position(request.page_token, most_digits=6)
        with store_problems():
            if request.only_open:
                names = (await self._store.open_ids())[skip : skip + size]
            else:
                names = await self._store.ids(skip, size)
            found = await self._store.incidents(names, self._clock.now_ms())
        return ListIncidentsResponse(
            incidents=[incident for incident, _ in found],
            next_page_token=encode_position(skip + size) if len(names) == size else "",
        )

    async def GetIncident(self, request: GetIncidentRequest, context: _Context) -> GetIncidentResponse:
        """Show one."""
        return GetIncidentResponse(incident=await self._incident(request.incident_id))

    async def CloseIncident(
        self, request: CloseIncidentRequest, context: _Context
    ) -> CloseIncidentResponse:
        """Close one by an operator's verdict."""
        if request.verdict not in _VERDICTS:
            raise invalid("verdict", "VERDICT_INVALID", "verdict is REAL or OUTAGE")
        check_signature(request.actor, request.comment)
        incident = await self._incident(request.incident_id)
        with store_problems():
            closed = not incident.HasField("close_time") and await self._guard.close(
                incident, request.verdict, actor=request.actor, comment=request.comment
            )
        if not closed:
            raise failed_precondition("INCIDENT_CLOSED", f"{request.incident_id} is closed already")
        return CloseIncidentResponse(incident=incident)

    async def _incident(self, name: str) -> Incident:
        with store_problems():
            found = await self._store.incidents([name], self._clock.now_ms())
        if not found:
            raise not_found("INCIDENT_UNKNOWN", f"there is no incident {name[:64]}")
        return found[0][0]
