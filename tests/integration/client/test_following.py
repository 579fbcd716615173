"""Following a service's stream over all that its restart does to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import pytest

from emta import peer
from emta.client import Client
from emta.feedback.v1.feedback_service_pb2 import WatchLogsRequest, WatchLogsResponse
from emta.feedback.v1.feedback_service_pb2_grpc import (
    FeedbackServiceServicer,
    add_FeedbackServiceServicer_to_server,
)
from emta.feedback.v1.log_pb2 import LogEvent
from emta.feedback.v1.requalify_service_pb2 import RequalifyOutcomesRequest, RequalifyOutcomesResponse
from emta.feedback.v1.requalify_service_pb2_grpc import (
    RequalifyServiceServicer,
    add_RequalifyServiceServicer_to_server,
)
from emta.problems import Problem

LET_FALL = [
    (grpc.StatusCode.UNAVAILABLE, "Feedback is stopping"),
    (grpc.StatusCode.CANCELLED, "CANCELLED"),
    (grpc.StatusCode.INTERNAL, "Received RST_STREAM with error code 2"),
]


class _Feedback(FeedbackServiceServicer, RequalifyServiceServicer):
    """Ends its first stream with a bare status behind one answer; the next one has the rest."""

    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        self._end: tuple[grpc.StatusCode, str] | None = (code, details)
        self.asked: list[str] = []  # from where

    async def WatchLogs(self, request: WatchLogsRequest, context: Any) -> AsyncIterator[WatchLogsResponse]:
        self.asked.append(request.cursor)
        if self._end is not None:
            yield WatchLogsResponse(events=[LogEvent(cursor="c1")])
            await self._fall(context)
        yield WatchLogsResponse(events=[LogEvent(cursor="c2")])

    async def RequalifyOutcomes(
        self, request: RequalifyOutcomesRequest, context: Any
    ) -> AsyncIterator[RequalifyOutcomesResponse]:
        self.asked.append(request.resume_token)
        if self._end is not None:
            yield RequalifyOutcomesResponse(resume_token="t1")
            await self._fall(context)
        yield RequalifyOutcomesResponse(resume_token="t2")

    async def _fall(self, context: Any) -> None:
        assert self._end is not None
        code, details = self._end
        self._end = None
        await context.abort(code, details)


async def watched(client: Client) -> list[str]:
    return [event.cursor async for event in client.watch("d1", stop_when_done=True)]


async def requalified(client: Client) -> list[str]:
    return [answer.resume_token async for answer in client.requalify(RequalifyOutcomesRequest())]


async def followed(feedback: _Feedback, follow: Callable[[Client], Awaitable[list[str]]]) -> list[str]:
    server = grpc.aio.server()
    add_FeedbackServiceServicer_to_server(feedback, server)
    add_RequalifyServiceServicer_to_server(feedback, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with Client(feedback=f"127.0.0.1:{port}") as client:
            return await follow(client)
    finally:
        await server.stop(None)


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "_AGAIN_SECONDS", 0.0, raising=False)


@pytest.mark.parametrize(("code", "details"), LET_FALL)
async def test_a_watch_goes_on_where_a_stopping_service_left_it(
    code: grpc.StatusCode, details: str
) -> None:
    feedback = _Feedback(code, details)

    assert await followed(feedback, watched) == ["c1", "c2"]
    assert feedback.asked == ["", "c1"]


@pytest.mark.parametrize(("code", "details"), LET_FALL)
async def test_a_requalification_goes_on_where_a_stopping_service_left_it(
    code: grpc.StatusCode, details: str
) -> None:
    feedback = _Feedback(code, details)

    assert await followed(feedback, requalified) == ["t1", "t2"]
    assert feedback.asked == ["", "t1"]


async def test_a_refusal_ends_a_watch() -> None:
    with pytest.raises(Problem) as caught:
        await followed(_Feedback(grpc.StatusCode.PERMISSION_DENIED, "no"), watched)

    assert caught.value.code is grpc.StatusCode.PERMISSION_DENIED
