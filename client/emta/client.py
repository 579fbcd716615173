"""A thin asynchronous client of emta: submit messages, follow their delivery, read the figures.

    async with Client() as client:
        await client.open_delivery("spring-sale", to_deliver=2)
        async for result in client.submit(messages):
            ...
        await client.until_reported("spring-sale", accepted=2)
        await client.close_delivery("spring-sale")
        async for event in client.watch("spring-sale", stop_when_done=True):
            ...

Every method raises emta.problems.Problem and nothing else of gRPC.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING

import grpc

from emta.bounce.v1.bounce_service_pb2 import (
    QualifyRepliesItem,
    QualifyRepliesRequest,
    QualifyRepliesResult,
)
from emta.bounce.v1.bounce_service_pb2_grpc import BounceServiceStub
from emta.bounce.v1.inbound_service_pb2 import (
    QualifyInboundItem,
    QualifyInboundRequest,
    QualifyInboundResult,
)
from emta.bounce.v1.inbound_service_pb2_grpc import InboundServiceStub
from emta.bounce.v1.incident_service_pb2 import (
    CloseIncidentRequest,
    GetIncidentRequest,
    Incident,
    IncidentEnd,
    ListIncidentsRequest,
)
from emta.bounce.v1.incident_service_pb2_grpc import IncidentServiceStub
from emta.bounce.v1.rules_service_pb2 import GetRulesRequest, GetRulesResponse, ReloadRulesRequest
from emta.bounce.v1.rules_service_pb2_grpc import RulesServiceStub
from emta.bounce.v1.smtp_reply_pb2 import SmtpReply
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
from emta.qualifications import Qualifications
from emta.relay.v1.message_pb2 import Message
from emta.relay.v1.relay_service_pb2 import SubmitResult
from emta.relay.v1.relay_service_pb2_grpc import RelayServiceStub
from emta.relay.v1.site_pb2 import MxRule, Site
from emta.relay.v1.site_service_pb2 import ListMxRulesRequest, ListSitesRequest
from emta.relay.v1.site_service_pb2_grpc import SiteServiceStub
from emta.submission import Submission

if TYPE_CHECKING:
    from emta.feedback.v1.feedback_service_pb2_grpc import FeedbackServiceAsyncStub

_LOOK_SECONDS = 0.1


class Client:
    """Connections to the Relay, Feedback and Bounce, opened when first used."""

    def __init__(
        self,
        relay: str = "localhost:50051",
        feedback: str = "localhost:50054",
        bounce: str = "localhost:50053",
    ) -> None:
        self._to_relay = Peer("Relay", relay)
        self._to_feedback = Peer("Feedback", feedback)
        self._to_bounce = Peer("Bounce", bounce)

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for peer in (self._to_relay, self._to_feedback, self._to_bounce):
            await peer.close()

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

    async def submit(
        self, messages: Iterable[Message], *, known: Callable[[int], None] | None = None
    ) -> AsyncIterator[SubmitResult]:
        """Submit messages in batches; yields one result per message as the Relay answers.

        What was not answered when a connection broke, or was put off by back pressure, is
        submitted again: the Relay knows messages by their ids and sends none twice. Gives up when
        nothing moves for a minute. At the end `known` is told how many the Relay had from an earlier
        run: these were not sent again, even where they had changed.
        """
        submission = Submission(RelayServiceStub(self._to_relay.channel), messages)
        try:
            async for result in submission.results():
                yield result
        except grpc.aio.AioRpcError as error:
            raise self._to_relay.problem(error) from None
        if known is not None:
            known(submission.duplicates)

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

    async def qualify(self, replies: Iterable[SmtpReply]) -> list[QualifyRepliesResult]:
        """Say what receivers' replies mean, one result per reply (at most 1,000). It counts nowhere."""
        items = [QualifyRepliesItem(reply=reply) for reply in replies]
        request = QualifyRepliesRequest(items=items, uncounted=True)
        stub = BounceServiceStub(self._to_bounce.channel)
        answer = await self._to_bounce.ask(stub.QualifyReplies, request)
        return list(answer.results)

    async def inbound(self, items: Iterable[QualifyInboundItem]) -> list[QualifyInboundResult]:
        """Have mails that came back read and recorded, one result per mail (at most 100, 16 MiB).

        What is answered UNAVAILABLE was not recorded: hand it over again, nothing counts twice.
        """
        stub = InboundServiceStub(self._to_bounce.channel)
        answer = await self._to_bounce.ask(stub.QualifyInbound, QualifyInboundRequest(items=items))
        return list(answer.results)

    async def rules(self) -> GetRulesResponse:
        """Give the reply rules in force, and why overrides were refused."""
        stub = RulesServiceStub(self._to_bounce.channel)
        return await self._to_bounce.ask(stub.GetRules, GetRulesRequest())

    async def reload_rules(self) -> None:
        """Have the overrides of the reply rules read again. Raises Problem RULES_REFUSED."""
        stub = RulesServiceStub(self._to_bounce.channel)
        await self._to_bounce.ask(stub.ReloadRules, ReloadRulesRequest())

    @property
    def qualifications(self) -> Qualifications:
        """The texts that receivers answered with, and what they mean."""
        return Qualifications(self._to_bounce)

    async def incidents(self, *, only_open: bool = False) -> AsyncIterator[Incident]:
        """Give the incidents of sites that refuse what they accepted before, the latest first."""
        request = ListIncidentsRequest(only_open=only_open, page_size=500)
        stub = IncidentServiceStub(self._to_bounce.channel)
        async for page in self._to_bounce.pages(stub.ListIncidents, request):
            for incident in page.incidents:
                yield incident

    async def incident(self, incident_id: str) -> Incident:
        """Give one incident as it stands."""
        stub = IncidentServiceStub(self._to_bounce.channel)
        answer = await self._to_bounce.ask(stub.GetIncident, GetIncidentRequest(incident_id=incident_id))
        return answer.incident

    async def close_incident(
        self, incident_id: str, verdict: IncidentEnd, *, actor: str, comment: str
    ) -> Incident:
        """Close an incident by a verdict: INCIDENT_END_REAL or INCIDENT_END_OUTAGE."""
        request = CloseIncidentRequest(
            incident_id=incident_id, verdict=verdict, actor=actor, comment=comment
        )
        stub = IncidentServiceStub(self._to_bounce.channel)
        answer = await self._to_bounce.ask(stub.CloseIncident, request)
        return answer.incident

    async def sites(self, *, name_contains: str = "") -> AsyncIterator[Site]:
        """Give the sites of the last hour with their limits and use, page by page, in order of name."""
        request = ListSitesRequest(name_contains=name_contains, page_size=500)
        stub = SiteServiceStub(self._to_relay.channel)
        async for page in self._to_relay.pages(stub.ListSites, request):
            for site in page.sites:
                yield site

    async def mx_rules(self) -> list[MxRule]:
        """Give the MX rules in force, the default first."""
        stub = SiteServiceStub(self._to_relay.channel)
        answer = await self._to_relay.ask(stub.ListMxRules, ListMxRulesRequest())
        return list(answer.rules)
