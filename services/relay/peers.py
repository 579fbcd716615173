"""The Relay as a client of the other services. Raises Problem and nothing else of gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from emta.bounce.v1.acceptance_service_pb2 import ReportAcceptancesRequest, SiteAcceptances
from emta.bounce.v1.acceptance_service_pb2_grpc import AcceptanceServiceStub
from emta.bounce.v1.bounce_service_pb2 import (
    QualifyRepliesItem,
    QualifyRepliesRequest,
    QualifyRepliesResult,
)
from emta.bounce.v1.bounce_service_pb2_grpc import BounceServiceStub
from emta.channel import connect
from emta.feedback.v1.feedback_service_pb2 import (
    ListLogsRequest,
    RecordOutcomesRequest,
    RecordOutcomesResult,
)
from emta.feedback.v1.feedback_service_pb2_grpc import FeedbackServiceStub
from emta.feedback.v1.log_pb2 import LogEntry
from emta.problems import Problem
from emta.signer.v1.signer_service_pb2 import SignItem, SignRequest, SignResult
from emta.signer.v1.signer_service_pb2_grpc import SignerServiceStub

if TYPE_CHECKING:
    from emta.bounce.v1.acceptance_service_pb2_grpc import AcceptanceServiceAsyncStub
    from emta.bounce.v1.bounce_service_pb2_grpc import BounceServiceAsyncStub
    from emta.feedback.v1.feedback_service_pb2_grpc import FeedbackServiceAsyncStub
    from emta.signer.v1.signer_service_pb2_grpc import SignerServiceAsyncStub

# A batch takes milliseconds; a peer that needs ten seconds is as good as away.
_CALL_SECONDS = 10.0
_HEALTH_SECONDS = 2.0


class Peers:
    """Stubs of Signer, Bounce and Feedback. Each call carries a batch."""

    def __init__(
        self, signer: grpc.aio.Channel, bounce: grpc.aio.Channel, feedback: grpc.aio.Channel
    ) -> None:
        self._signer: SignerServiceAsyncStub = SignerServiceStub(signer)
        self._bounce: BounceServiceAsyncStub = BounceServiceStub(bounce)
        self._acceptances: AcceptanceServiceAsyncStub = AcceptanceServiceStub(bounce)
        self._feedback: FeedbackServiceAsyncStub = FeedbackServiceStub(feedback)
        self._signer_health = health_pb2_grpc.HealthStub(signer)
        self._bounce_health = health_pb2_grpc.HealthStub(bounce)

    async def sign(self, items: Sequence[SignItem]) -> Sequence[SignResult]:
        """Sign; a result per item."""
        try:
            answer = await self._signer.Sign(SignRequest(items=items), timeout=_CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise Problem.from_rpc_error(error) from None
        return answer.results

    async def qualify(
        self, items: Sequence[QualifyRepliesItem], acceptances: Sequence[SiteAcceptances] = ()
    ) -> Sequence[QualifyRepliesResult]:
        """Qualify, after what was accepted before; a result per item."""
        request = QualifyRepliesRequest(items=items, acceptances=acceptances)
        try:
            answer = await self._bounce.QualifyReplies(request, timeout=_CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise Problem.from_rpc_error(error) from None
        return answer.results

    async def report_acceptances(self, acceptances: Sequence[SiteAcceptances]) -> None:
        """Tell whose messages were accepted."""
        request = ReportAcceptancesRequest(acceptances=acceptances)
        try:
            await self._acceptances.ReportAcceptances(request, timeout=_CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise Problem.from_rpc_error(error) from None

    async def record(self, request: RecordOutcomesRequest) -> Sequence[RecordOutcomesResult]:
        """Record outcomes; a result per item."""
        try:
            answer = await self._feedback.RecordOutcomes(request, timeout=_CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise Problem.from_rpc_error(error) from None
        return answer.results

    async def rows(self, delivery: str, messages: Sequence[str]) -> dict[str, LogEntry]:
        """Give the rows of a delivery's messages, by message; those that Feedback knows."""
        request = ListLogsRequest(delivery_id=delivery, message_ids=messages)
        try:
            answer = await self._feedback.ListLogs(request, timeout=_CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            problem = Problem.from_rpc_error(error)
            if problem.reason == "DELIVERY_UNKNOWN":
                return {}
            raise problem from None
        return {entry.message_id: entry for entry in answer.entries}

    async def signer_serves(self) -> bool:
        """Whether the Signer says that it serves."""
        return await _serves(self._signer_health)

    async def bounce_serves(self) -> bool:
        """Whether Bounce says that it serves."""
        return await _serves(self._bounce_health)


async def _serves(health: Any) -> bool:
    try:
        answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=_HEALTH_SECONDS)
    except grpc.aio.AioRpcError:
        return False
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


@asynccontextmanager
async def connected(signer: str, bounce: str, feedback: str) -> AsyncIterator[Peers]:
    """Open the channels; they connect when first used, and again whenever a peer comes back."""
    async with connect(signer) as one, connect(bounce) as two, connect(feedback) as three:
        yield Peers(one, two, three)
