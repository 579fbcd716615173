"""Feedback's RPCs: proto in, proto out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
from redis.asyncio import Redis

from emta.feedback.v1 import feedback_service_pb2_grpc
from emta.feedback.v1.delivery_pb2 import Delivery
from emta.feedback.v1.feedback_service_pb2 import (
    CloseDeliveryRequest,
    CloseDeliveryResponse,
    FindMessagesRequest,
    FindMessagesResponse,
    FoundMessages,
    GetDeliveryKpisRequest,
    GetDeliveryKpisResponse,
    ListLogsRequest,
    ListLogsResponse,
    OpenDeliveryRequest,
    OpenDeliveryResponse,
    RecordOutcomesRequest,
    RecordOutcomesResponse,
    RecordOutcomesResult,
    WatchLogsRequest,
    WatchLogsResponse,
)
from emta.feedback.v1.log_pb2 import LogEntry
from emta.problems import invalid, not_found
from services.chassis.clock import Clock
from services.chassis.paging import decode_position, encode_position
from services.chassis.rpc import tenant_of
from services.chassis.settings import NO_ACKS, Acks
from services.chassis.store import store_problems
from services.feedback import requests
from services.feedback.finder import find
from services.feedback.kpis import kpis, recipient_domain
from services.feedback.recorder import Recorder
from services.feedback.store.ledger import Ledger
from services.feedback.watch import Bell, follow

_ROWS_A_LOOK = 500

_Context = grpc.aio.ServicerContext[Any, Any]


class FeedbackService(feedback_service_pb2_grpc.FeedbackServiceServicer):
    """Serves the ledgers of one store."""

    def __init__(self, store: Redis, clock: Clock, bell: Bell, acks: Acks = NO_ACKS) -> None:
        self._store = store
        self._acks = acks
        self._clock = clock
        self._bell = bell
        self._recorder = Recorder(store, clock, acks)

    def _ledger(self, context: _Context) -> Ledger:
        return self._ledger_of(tenant_of(context))

    def _ledger_of(self, tenant: str) -> Ledger:
        return Ledger(self._store, tenant, self._acks)

    async def OpenDelivery(self, request: OpenDeliveryRequest, context: _Context) -> OpenDeliveryResponse:
        """Announce a delivery."""
        told = requests.delivery(request)
        ledger = self._ledger(context)
        with store_problems():
            await ledger.open(told, self._clock.now_ms())
            delivery, _ = await _known(ledger, told.delivery_id)
        self._bell.ring()
        return OpenDeliveryResponse(delivery=delivery)

    async def CloseDelivery(
        self, request: CloseDeliveryRequest, context: _Context
    ) -> CloseDeliveryResponse:
        """Say that no more messages come."""
        ledger = self._ledger(context)
        name = requests.delivery_id(request.delivery_id)
        with store_problems():
            await _known(ledger, name)
            await ledger.close(name, self._clock.now_ms())
            delivery, counters = await _known(ledger, name)
        self._bell.ring()
        figures = kpis(name, delivery.state, counters, {})
        unsubmitted = figures.to_deliver - figures.accepted
        return CloseDeliveryResponse(delivery=delivery, cancelled=unsubmitted)

    async def RecordOutcomes(
        self, request: RecordOutcomesRequest, context: _Context
    ) -> RecordOutcomesResponse:
        """Take outcomes into the ledger."""
        requests.outcomes(request)
        problems = [requests.outcome(item) for item in request.items]
        good = [item for item, problem in zip(request.items, problems, strict=True) if problem is None]
        with store_problems():
            recorded = iter(await self._recorder.record(request.producer, good))
        self._bell.ring()
        return RecordOutcomesResponse(
            results=[
                next(recorded) if problem is None else RecordOutcomesResult(error=problem.to_status())
                for problem in problems
            ]
        )

    async def WatchLogs(
        self, request: WatchLogsRequest, context: _Context
    ) -> AsyncIterator[WatchLogsResponse]:
        """Stream the ledger."""
        ledger = self._ledger(context)
        position = decode_position(request.cursor, "cursor", "CURSOR_INVALID")
        if request.stop_when_done and not request.delivery_id:
            raise invalid("delivery_id", "DELIVERY_ID_INVALID", "stop_when_done needs a delivery_id")
        with store_problems():
            if request.delivery_id:
                await _known(ledger, requests.delivery_id(request.delivery_id))
            stream = follow(ledger, self._bell, request.delivery_id, position, request.stop_when_done)
            async for response in stream:
                yield response

    async def ListLogs(self, request: ListLogsRequest, context: _Context) -> ListLogsResponse:
        """List rows."""
        after, size = requests.page(request)
        ledger = self._ledger(context)
        name = requests.delivery_id(request.delivery_id)
        with store_problems():
            await _known(ledger, name)
            if request.message_ids:
                rows = await ledger.rows([(name, message) for message in request.message_ids])
                entries = [row.entry for row in rows if row.entry and _wanted(row.entry, request)]
                return ListLogsResponse(entries=entries)
            return await _page(ledger, request, after, size)

    async def GetDeliveryKpis(
        self, request: GetDeliveryKpisRequest, context: _Context
    ) -> GetDeliveryKpisResponse:
        """Give the figures."""
        ledger = self._ledger(context)
        name = requests.delivery_id(request.delivery_id)
        with store_problems():
            delivery, counters = await _known(ledger, name)
            figures = kpis(name, delivery.state, counters, await ledger.domains(name))
        figures.delivery.CopyFrom(delivery)
        figures.read_time.FromMilliseconds(self._clock.now_ms())
        return GetDeliveryKpisResponse(kpis=figures)

    async def FindMessages(self, request: FindMessagesRequest, context: _Context) -> FindMessagesResponse:
        """Find messages of any delivery."""
        requests.queries(request)
        now_ms = self._clock.now_ms()
        with store_problems():
            found = await find(self._ledger_of, tenant_of(context), request.queries, now_ms)
        return FindMessagesResponse(results=[FoundMessages(entries=entries) for entries in found])


async def _known(ledger: Ledger, name: str) -> tuple[Delivery, dict[str, int]]:
    found = await ledger.delivery(name)
    if found is None:
        raise not_found("DELIVERY_UNKNOWN", f"there is no delivery {name}", delivery_id=name)
    return found


async def _page(ledger: Ledger, request: ListLogsRequest, after: int, size: int) -> ListLogsResponse:
    page = ListLogsResponse()
    while True:
        rows = await ledger.page(request.delivery_id, after, _ROWS_A_LOOK)
        if not rows:
            return page
        for position, entry in rows:
            if len(page.entries) == size:
                page.next_page_token = encode_position(after)
                return page
            after = position
            if _wanted(entry, request):
                page.entries.append(entry)


def _wanted(entry: LogEntry, request: ListLogsRequest) -> bool:
    return (
        (not request.statuses or entry.status in request.statuses)
        and (not request.reasons or entry.failure_reason in request.reasons)
        and (not request.recipient_domain or recipient_domain(entry) == request.recipient_domain.lower())
    )
