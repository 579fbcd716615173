"""The Relay as a client of the other services. Raises Problem and nothing else of gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import grpc

from emta.bounce.v1.bounce_service_pb2 import (
    QualifyRepliesItem,
    QualifyRepliesRequest,
    QualifyRepliesResult,
)
from emta.bounce.v1.bounce_service_pb2_grpc import BounceServiceStub
from emta.channel import connect
from emta.feedback.v1.feedback_service_pb2 import (
    RecordOutcomesItem,
    RecordOutcomesRequest,
    RecordOutcomesResult,
)
from emta.feedback.v1.feedback_service_pb2_grpc import FeedbackServiceStub
from emta.problems import Problem
from emta.signer.v1.signer_service_pb2 import SignItem, SignRequest, SignResult
from emta.signer.v1.signer_service_pb2_grpc import SignerServiceStub

if TYPE_CHECKING:
    from emta.bounce.v1.bounce_service_pb2_grpc import BounceServiceAsyncStub
    from emta.feedback.v1.feedback_service_pb2_grpc import FeedbackServiceAsyncStub
    from emta.signer.v1.signer_service_pb2_grpc import SignerServiceAsyncStub

# A batch takes milliseconds; a peer that needs ten seconds is as good as away.
_CALL_SECONDS = 10.0


class Peers:
    """Stubs of Signer, Bounce and Feedback. Each call carries a batch."""

    def __init__(
        self,
        signer: SignerServiceAsyncStub,
        bounce: BounceServiceAsyncStub,
        feedback: FeedbackServiceAsyncStub,
    ) -> None:
        self._signer = signer
        self._bounce = bounce
        self._feedback = feedback

    async def sign(self, items: Sequence[SignItem]) -> list[SignResult]:
        """Sign; a result per item."""
        try:
            answer = await self._signer.Sign(SignRequest(items=items), timeout=_CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise Problem.from_rpc_error(error) from None
        return list(answer.results)

    async def qualify(self, items: Sequence[QualifyRepliesItem]) -> list[QualifyRepliesResult]:
        """Qualify; a result per item."""
        request = QualifyRepliesRequest(items=items)
        try:
            answer = await self._bounce.QualifyReplies(request, timeout=_CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise Problem.from_rpc_error(error) from None
        return list(answer.results)

    async def record(
        self, producer: str, items: Sequence[RecordOutcomesItem]
    ) -> list[RecordOutcomesResult]:
        """Record outcomes; a result per item."""
        request = RecordOutcomesRequest(producer=producer, items=items)
        try:
            answer = await self._feedback.RecordOutcomes(request, timeout=_CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise Problem.from_rpc_error(error) from None
        return list(answer.results)


@asynccontextmanager
async def connected(signer: str, bounce: str, feedback: str) -> AsyncIterator[Peers]:
    """Open the channels; they connect when first used, and again whenever a peer comes back."""
    async with connect(signer) as one, connect(bounce) as two, connect(feedback) as three:
        yield Peers(SignerServiceStub(one), BounceServiceStub(two), FeedbackServiceStub(three))
