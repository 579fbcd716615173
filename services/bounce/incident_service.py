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
from services.bounce.guard import Guard
from services.bounce.store.guard import GuardStore
from services.chassis.clock import Clock
from services.chassis.store import store_problems

_DEFAULT_PAGE, _MAX_PAGE = 100, 1_000
_MAX_ACTOR, _MAX_COMMENT = 256, 1_000
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
        if not 0 <= request.page_size <= _MAX_PAGE:
            raise invalid("page_size", "PAGE_SIZE_INVALID", f"page_size is 0 to {_MAX_PAGE}")
        size = request.page_size or _DEFAULT_PAGE
        skip = _position(request.page_token)
        with store_problems():
            if request.only_open:
                names = (await self._store.open_ids())[skip : skip + size]
            else:
                names = await self._store.ids(skip, size)
            found = await self._store.incidents(names, self._clock.now_ms())
        return ListIncidentsResponse(
            incidents=[incident for incident, _ in found],
            next_page_token=str(skip + size) if len(names) == size else "",
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
        for field, text, longest in (
            ("actor", request.actor, _MAX_ACTOR),
            ("comment", request.comment, _MAX_COMMENT),
        ):
            if not 1 <= len(text.strip()) <= longest:
                raise invalid(
                    field, f"{field.upper()}_INVALID", f"{field} must be 1 to {longest} characters"
                )
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


def _position(token: str) -> int:
    if not token:
        return 0
    if not token.isdecimal() or len(token) > 6:
        raise invalid("page_token", "PAGE_TOKEN_INVALID", "page_token is not one that was given out")
    return int(token)
