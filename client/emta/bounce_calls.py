"""What the client asks of Bounce: a part of emta.client.Client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable

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
from emta.peer import Peer
from emta.qualifications import Qualifications


class BounceCalls:
    """What replies and mails that came back mean, and the incidents of sites."""

    _to_bounce: Peer

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
