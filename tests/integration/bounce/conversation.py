"""Relays as Bounce knows them: they report who was accepted, and ask what refusals mean."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b

import grpc

from emta.bounce.v1.acceptance_service_pb2 import ReportAcceptancesRequest, SiteAcceptances
from emta.bounce.v1.acceptance_service_pb2_grpc import AcceptanceServiceStub
from emta.bounce.v1.bounce_service_pb2 import QualifyRepliesItem, QualifyRepliesRequest
from emta.bounce.v1.bounce_service_pb2_grpc import BounceServiceStub
from emta.bounce.v1.incident_service_pb2 import Incident, ListIncidentsRequest
from emta.bounce.v1.incident_service_pb2_grpc import IncidentServiceStub
from emta.bounce.v1.qualification_pb2 import Qualification
from emta.bounce.v1.smtp_reply_pb2 import SmtpPhase, SmtpReply

USER_UNKNOWN = SmtpReply(
    phase=SmtpPhase.SMTP_PHASE_RCPT,
    code=550,
    enhanced_code="5.1.1",
    text="The email account that you tried to reach does not exist",
    mx_host="mx1.mail.example",
)
BUSY = SmtpReply(phase=SmtpPhase.SMTP_PHASE_DOT, code=451, enhanced_code="4.3.2", text="Try again later")


def key(address: str) -> int:
    """A recipient's key, as a Relay makes it: 16 bits of the domain, 48 of the address."""
    domain = address.rpartition("@")[2].encode()
    octets = blake2b(domain, digest_size=2).digest() + blake2b(address.encode(), digest_size=6).digest()
    return int.from_bytes(octets, "big")


def people(count: int, domain: str = "mail.example", name: str = "u") -> list[str]:
    """So many addresses."""
    return [f"{name}{number}@{domain}" for number in range(count)]


class Relay:
    """A Relay that speaks to one Bounce."""

    def __init__(self, channel: grpc.aio.Channel, site: str = "mail") -> None:
        self._acceptances = AcceptanceServiceStub(channel)
        self._bounce = BounceServiceStub(channel)
        self._incidents = IncidentServiceStub(channel)
        self._site = site

    def told(self, addresses: Iterable[str], untold: int = 0) -> SiteAcceptances:
        """Acceptances at this Relay's site."""
        return SiteAcceptances(site=self._site, recipient_keys=map(key, addresses), untold=untold)

    async def accepted(self, addresses: Iterable[str]) -> None:
        """Report acceptances."""
        await self._acceptances.ReportAcceptances(
            ReportAcceptancesRequest(acceptances=[self.told(addresses)])
        )

    async def refused(
        self,
        addresses: Iterable[str],
        reply: SmtpReply = USER_UNKNOWN,
        accepted: Iterable[str] = (),
        *,
        uncounted: bool = False,
    ) -> list[Qualification]:
        """Ask what refusals mean, after what was accepted before them."""
        items = [
            QualifyRepliesItem(reply=reply, site=self._site, recipient_key=key(address))
            for address in addresses
        ]
        request = QualifyRepliesRequest(items=items, acceptances=[self.told(accepted)], uncounted=uncounted)
        answer = await self._bounce.QualifyReplies(request)
        return [result.qualification for result in answer.results]

    async def incidents(self, *, only_open: bool = False) -> list[Incident]:
        """All incidents, the latest first."""
        answer = await self._incidents.ListIncidents(ListIncidentsRequest(only_open=only_open))
        return list(answer.incidents)
