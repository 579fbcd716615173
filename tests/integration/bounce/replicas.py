"""Replicas of Bounce at one store, and what tests ask of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from emta.bounce.v1.bounce_service_pb2 import (
    QualifyRepliesItem,
    QualifyRepliesRequest,
    QualifyRepliesResponse,
)
from emta.bounce.v1.bounce_service_pb2_grpc import BounceServiceStub
from emta.bounce.v1.qualification_pb2 import Qualification
from emta.bounce.v1.qualifications_service_pb2 import QualificationRow
from emta.bounce.v1.smtp_reply_pb2 import SmtpReply
from emta.channel import connect
from emta.client import Client
from emta.problems import Problem
from emta.qualifications import Qualifications
from services.bounce.app import running
from services.bounce.settings import BounceSettings
from services.chassis.settings import load_settings
from tests.support.clock import ManualClock
from tests.support.eventually import eventually
from tests.unit.bounce.rules import reply


@dataclass
class Replica:
    """One running Bounce."""

    bounce: Any
    qualifications: Qualifications
    clock: ManualClock

    async def answer(self, *replies: str | SmtpReply) -> QualifyRepliesResponse:
        """Qualify replies; strings are written as samples are."""
        items = [QualifyRepliesItem(reply=reply(r) if isinstance(r, str) else r) for r in replies]
        answer: QualifyRepliesResponse = await self.bounce.QualifyReplies(
            QualifyRepliesRequest(items=items)
        )
        return answer

    async def qualify(self, sample: str) -> Qualification:
        """Say what one reply means."""
        return (await self.answer(sample)).results[0].qualification

    async def counted(self, md5: str, occurrences: int = 1) -> QualificationRow:
        """Give a row once it has been counted so often; time goes on meanwhile."""

        async def row() -> QualificationRow | None:
            self.clock.advance(1)
            try:
                found = await self.qualifications.get(md5)
            except Problem as problem:
                assert problem.reason == "QUALIFICATION_UNKNOWN"  # noqa: PT017
                return None
            return found if found.occurrences >= occurrences else None

        return await eventually(row, f"{occurrences} occurrences of {md5}")


@asynccontextmanager
async def replica(environ: dict[str, str], clock: ManualClock) -> AsyncIterator[Replica]:
    """Run one Bounce."""
    async with (
        running(load_settings(BounceSettings, environ), clock) as server,
        connect(server.address) as channel,
        Client(bounce=server.address) as client,
    ):
        yield Replica(BounceServiceStub(channel), client.qualifications, clock)
