"""What the client asks of Feedback: a part of emta.client.Client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from emta.feedback.v1.delivery_pb2 import Delivery, DeliveryKpis
from emta.feedback.v1.feedback_service_pb2 import (
    CloseDeliveryRequest,
    FindMessagesRequest,
    GetDeliveryKpisRequest,
    ListLogsRequest,
    MessageQuery,
    OpenDeliveryRequest,
    WatchLogsRequest,
)
from emta.feedback.v1.feedback_service_pb2_grpc import FeedbackServiceStub
from emta.feedback.v1.log_pb2 import LogEntry, LogEvent, LogStatus
from emta.feedback.v1.requalify_service_pb2 import (
    ListRequalificationsRequest,
    Requalification,
    RequalifyOutcomesRequest,
    RequalifyOutcomesResponse,
)
from emta.feedback.v1.requalify_service_pb2_grpc import RequalifyServiceStub
from emta.peer import Peer

if TYPE_CHECKING:
    from emta.feedback.v1.feedback_service_pb2_grpc import FeedbackServiceAsyncStub

_LOOK_SECONDS = 0.1


class FeedbackCalls:
    """Deliveries, their log and figures, and corrections of failures."""

    _to_feedback: Peer

    @property
    def _feedback(self) -> FeedbackServiceAsyncStub:
        return FeedbackServiceStub(self._to_feedback.channel)

    async def open_delivery(
        self,
        delivery_id: str,
        *,
        label: str = "",
        to_deliver: int | None = None,
        validity: timedelta | None = None,
    ) -> Delivery:
        """Announce a delivery (idempotent). `to_deliver` None: the count is not known."""
        request = OpenDeliveryRequest(delivery_id=delivery_id, label=label, to_deliver=to_deliver)
        if validity is not None:
            request.validity.FromTimedelta(validity)
        answer = await self._to_feedback.ask(self._feedback.OpenDelivery, request)
        return answer.delivery

    async def close_delivery(self, delivery_id: str) -> int:
        """Say that nothing more comes; gives how many announced messages count as cancelled now."""
        request = CloseDeliveryRequest(delivery_id=delivery_id)
        answer = await self._to_feedback.ask(self._feedback.CloseDelivery, request)
        return answer.cancelled

    async def until_reported(self, delivery_id: str, accepted: int) -> None:
        """Wait until Feedback knows of `accepted` messages of a delivery.

        The Relay tells it within moments. Closed before that, a delivery would look done: nothing in
        flight, and all that was announced cancelled.
        """
        while (await self.kpis(delivery_id)).accepted < accepted:  # noqa: ASYNC110 -- it is polled for
            await asyncio.sleep(_LOOK_SECONDS)

    async def watch(
        self, delivery_id: str = "", *, cursor: str = "", stop_when_done: bool = False
    ) -> AsyncIterator[LogEvent]:
        """Follow the ledger from `cursor` (empty: from the beginning), over reconnections.

        Every event carries the cursor to resume after it. Ends only with `stop_when_done`: when
        nothing of the delivery is in flight or pending.
        """
        request = WatchLogsRequest(delivery_id=delivery_id, cursor=cursor, stop_when_done=stop_when_done)
        while True:
            async for response in self._to_feedback.follow(lambda: self._feedback.WatchLogs(request)):
                for event in response.events:
                    request.cursor = event.cursor
                    yield event
            # A service that drains ends its streams properly too: only "done" is the end.
            if stop_when_done:
                return

    async def logs(
        self,
        delivery_id: str,
        *,
        statuses: Sequence[LogStatus] = (),
        message_ids: Sequence[str] = (),
    ) -> AsyncIterator[LogEntry]:
        """Give the rows of a delivery's log, page by page, in order of acceptance."""
        request = ListLogsRequest(
            delivery_id=delivery_id, statuses=statuses, message_ids=message_ids, page_size=500
        )
        async for page in self._to_feedback.pages(self._feedback.ListLogs, request):
            for entry in page.entries:
                yield entry

    async def find(self, query: MessageQuery) -> list[LogEntry]:
        """Give the rows of the messages, of whatever delivery, that have a Message-ID or recipient.

        Those accepted within the last twelve days, the latest first.
        """
        request = FindMessagesRequest(queries=[query])
        answer = await self._to_feedback.ask(self._feedback.FindMessages, request)
        return list(answer.results[0].entries)

    async def kpis(self, delivery_id: str) -> DeliveryKpis:
        """Give the figures of a delivery, exact at this moment."""
        request = GetDeliveryKpisRequest(delivery_id=delivery_id)
        answer = await self._to_feedback.ask(self._feedback.GetDeliveryKpis, request)
        return answer.kpis

    async def requalify(
        self, request: RequalifyOutcomesRequest
    ) -> AsyncIterator[RequalifyOutcomesResponse]:
        """Find failures and correct them, over reconnections; figures add up over the answers.

        What was corrected just before a connection broke is counted in `corrected_before`.
        """
        asked = RequalifyOutcomesRequest()
        asked.CopyFrom(request)
        stub = RequalifyServiceStub(self._to_feedback.channel)
        async for response in self._to_feedback.follow(lambda: stub.RequalifyOutcomes(asked)):
            asked.resume_token = response.resume_token
            yield response

    async def requalifications(self) -> AsyncIterator[Requalification]:
        """Give what was corrected, by whom, when and why, the latest first."""
        request = ListRequalificationsRequest(page_size=500)
        stub = RequalifyServiceStub(self._to_feedback.channel)
        async for page in self._to_feedback.pages(stub.ListRequalifications, request):
            for entry in page.requalifications:
                yield entry
