"""QualificationsService: the rows of texts, shown and changed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc

from emta.bounce.v1 import qualifications_service_pb2_grpc
from emta.bounce.v1.qualifications_service_pb2 import (
    GetQualificationRequest,
    GetQualificationResponse,
    ListQualificationClustersRequest,
    ListQualificationClustersResponse,
    ListQualificationsRequest,
    ListQualificationsResponse,
    QualificationRow,
    QualificationStatus,
    SetQualificationRequest,
    SetQualificationResponse,
)
from emta.problems import Problem, failed_precondition, not_found
from services.bounce.catalogue.live_rules import LiveRules
from services.bounce.rows import edit_requests
from services.bounce.rows.clusters import clustered, vocabulary
from services.bounce.rows.live_edits import LiveEdits
from services.bounce.store.rows import RowStore, Written
from services.chassis.clock import Clock
from services.chassis.logs import Log
from services.chassis.paging import decode_position, encode_position
from services.chassis.store import store_problems

# Rows that a page looks at, and that are clustered: a fraction of a second for the store and for us.
_LOOKED_AT = 2_000

_log = Log("bounce")
_Context = grpc.aio.ServicerContext[Any, Any]


class QualificationsService(qualifications_service_pb2_grpc.QualificationsServiceServicer):
    """Speaks about the rows of one store."""

    def __init__(self, rows: RowStore, edits: LiveEdits, rules: LiveRules, clock: Clock) -> None:
        self._rows = rows
        self._edits = edits
        self._rules = rules
        self._clock = clock

    async def ListQualifications(
        self, request: ListQualificationsRequest, context: _Context
    ) -> ListQualificationsResponse:
        """List, the most costly first."""
        size = edit_requests.check_list(request)
        place = decode_position(request.page_token, most_digits=9)
        response = ListQualificationsResponse()
        with store_problems():
            md5s = await self._rows.by_cost(request.status)
            end = min(place + _LOOKED_AT, len(md5s))
            while place < end and len(response.rows) < size:
                some = md5s[place : min(place + size - len(response.rows), end)]
                place += len(some)
                rows = await self._rows.rows(some, self._clock.now_ms())
                response.rows.extend(row for row in rows if row is not None and _wanted(row, request))
        if place < len(md5s):
            response.next_page_token = encode_position(place)
        return response

    async def ListQualificationClusters(
        self, request: ListQualificationClustersRequest, context: _Context
    ) -> ListQualificationClustersResponse:
        """Put together what is to be qualified."""
        with store_problems():
            md5s = await self._rows.by_cost(QualificationStatus.QUALIFICATION_STATUS_TO_QUALIFY)
            found = await self._rows.rows(md5s[:_LOOKED_AT], self._clock.now_ms())
        rows = [row for row in found if row is not None]
        # In a thread: replies keep coming.
        clusters = await asyncio.to_thread(
            lambda: clustered(rows, vocabulary(self._rules.qualifier.catalogue))
        )
        return ListQualificationClustersResponse(
            clusters=clusters, rows_left=max(len(md5s) - _LOOKED_AT, 0)
        )

    async def GetQualification(
        self, request: GetQualificationRequest, context: _Context
    ) -> GetQualificationResponse:
        """Give one."""
        md5 = edit_requests.md5("normalized_md5", request.normalized_md5)
        with store_problems():
            (row,) = await self._rows.rows([md5], self._clock.now_ms())
        if row is None:
            raise _unknown(md5)
        return GetQualificationResponse(row=row)

    async def SetQualification(
        self, request: SetQualificationRequest, context: _Context
    ) -> SetQualificationResponse:
        """Write down what an operator says, and have it decide here at once."""
        edit_requests.check_set(request)
        with store_problems():
            written = await self._rows.write_edit(request, self._clock.now_ms())
            _check_written(written, request.normalized_md5s)
            await self._edits.look()
            rows = await self._rows.rows(request.normalized_md5s, self._clock.now_ms())
        status = QualificationStatus.Name(request.status)
        _log.info("qualification_set", rows=written.count(Written.SET), status=status, actor=request.actor)
        return SetQualificationResponse(rows=[row for row in rows if row is not None])


def _wanted(row: QualificationRow, request: ListQualificationsRequest) -> bool:
    return (
        row.occurrences >= request.min_occurrences
        and request.text.lower() in row.normalized_text.lower()
        and (not request.site or any(request.site.lower() in each.site for each in row.sites))
    )


def _check_written(written: Sequence[Written], md5s: Sequence[str]) -> None:
    """Say why no row was set."""
    if not written:
        raise Problem(
            grpc.StatusCode.RESOURCE_EXHAUSTED, "EDITS_FULL", "too many rows are decided on: write rules"
        )
    if Written.CHANGED in written:
        md5 = md5s[written.index(Written.CHANGED)]
        raise failed_precondition("QUALIFICATION_CHANGED", f"somebody has set {md5} since it was seen")
    if Written.WITHOUT_MEANING in written:
        md5 = md5s[written.index(Written.WITHOUT_MEANING)]
        raise failed_precondition(
            "MEANING_UNKNOWN", f"no rule knows what {md5} means: Keep needs a type and a reason"
        )
    if Written.SET not in written:
        raise _unknown(md5s[0])


def _unknown(md5: str) -> Problem:
    return not_found("QUALIFICATION_UNKNOWN", f"there is no row {md5}")
