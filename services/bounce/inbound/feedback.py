"""Feedback, as Bounce asks and tells it. Raises Problem FEEDBACK_UNAVAILABLE and nothing else of gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import grpc

from emta.channel import connect
from emta.feedback.v1.feedback_service_pb2 import (
    FindMessagesRequest,
    FoundMessages,
    MessageQuery,
    RecordOutcomesItem,
    RecordOutcomesRequest,
    RecordOutcomesResult,
)
from emta.feedback.v1.feedback_service_pb2_grpc import FeedbackServiceStub
from emta.problems import Problem, unavailable

if TYPE_CHECKING:
    from emta.feedback.v1.feedback_service_pb2_grpc import FeedbackServiceAsyncStub

# The same for all replicas: what one has reported is known when another reports it again.
_PRODUCER = "bounce/inbound"
# A batch takes milliseconds; a peer that needs ten seconds is as good as away.
_CALL_SECONDS = 10.0
_MOST_ITEMS = 1_000


class Feedback:
    """A stub of Feedback. Each call carries a batch, of any size."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._stub: FeedbackServiceAsyncStub = FeedbackServiceStub(channel)

    async def find(self, queries: Sequence[MessageQuery]) -> list[FoundMessages]:
        """Find messages; a result per query."""
        found: list[FoundMessages] = []
        for first in range(0, len(queries), _MOST_ITEMS):
            request = FindMessagesRequest(queries=queries[first : first + _MOST_ITEMS])
            try:
                answer = await self._stub.FindMessages(request, timeout=_CALL_SECONDS)
            except grpc.aio.AioRpcError as error:
                raise _away(error) from None
            found += answer.results
        return found

    async def record(self, items: Sequence[RecordOutcomesItem]) -> list[RecordOutcomesResult | Problem]:
        """Record outcomes; a result per item, a Problem where it was not answered."""
        results: list[RecordOutcomesResult | Problem] = []
        for first in range(0, len(items), _MOST_ITEMS):
            batch = items[first : first + _MOST_ITEMS]
            request = RecordOutcomesRequest(producer=_PRODUCER, items=batch)
            try:
                results += (await self._stub.RecordOutcomes(request, timeout=_CALL_SECONDS)).results
            except grpc.aio.AioRpcError as error:
                results += [_away(error)] * len(batch)
        return results


def _away(error: grpc.aio.AioRpcError) -> Problem:
    problem = Problem.from_rpc_error(error)
    return unavailable("FEEDBACK_UNAVAILABLE", f"Feedback does not answer: {problem.reason}")


@asynccontextmanager
async def connected(target: str) -> AsyncIterator[Feedback]:
    """Open the channel; it connects when first used, and again whenever Feedback comes back."""
    async with connect(target) as channel:
        yield Feedback(channel)
