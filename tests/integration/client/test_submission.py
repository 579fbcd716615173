"""Submitting over all that a Relay's restart does to the stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import grpc
import pytest

from emta.peer import Peer
from emta.problems import Problem
from emta.relay.v1.message_pb2 import Message
from emta.relay.v1.relay_service_pb2 import SubmitMessagesRequest, SubmitMessagesResponse, SubmitResult
from emta.relay.v1.relay_service_pb2_grpc import (
    RelayServiceServicer,
    add_RelayServiceServicer_to_server,
)
from emta.submission import Submission

FULL = Problem(grpc.StatusCode.RESOURCE_EXHAUSTED, "OUTBOX_FULL", "full", retry_after=0.01)


class _Relay(RelayServiceServicer):
    """Ends its first streams with a bare status, as gRPC does; puts some messages off; then answers."""

    def __init__(self, *end: tuple[grpc.StatusCode, str], known: int = 0, full: Sequence[str] = ()) -> None:
        self._end = list(end)
        self._known = known
        self._full = set(full)
        self.streams = 0

    async def SubmitMessages(
        self, request_iterator: AsyncIterator[SubmitMessagesRequest], context: Any
    ) -> AsyncIterator[SubmitMessagesResponse]:
        self.streams += 1
        async for request in request_iterator:
            if self._end:
                await context.abort(*self._end.pop())
            yield SubmitMessagesResponse(
                duplicates=self._known,
                results=[self._answer(message.message_id) for message in request.messages],
            )

    def _answer(self, name: str) -> SubmitResult:
        if name not in self._full:
            return SubmitResult(message_id=name)
        self._full.remove(name)
        return SubmitResult(message_id=name, error=FULL.to_status())


async def _submitted(relay: _Relay) -> tuple[list[str], int]:
    server = grpc.aio.server()
    add_RelayServiceServicer_to_server(relay, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    peer = Peer("Relay", f"127.0.0.1:{port}")
    try:
        submission = Submission(peer, [Message(message_id=name) for name in "ab"])
        names = [result.message_id async for result in submission.results()]
        return names, submission.duplicates
    finally:
        await peer.close()
        await server.stop(None)


@pytest.mark.parametrize(
    ("code", "details"),
    [
        (grpc.StatusCode.UNAVAILABLE, "the Relay is stopping"),
        (grpc.StatusCode.CANCELLED, "CANCELLED"),
        (grpc.StatusCode.INTERNAL, "Received RST_STREAM with error code 2"),
    ],
)
async def test_what_a_stopping_relay_left_unanswered_is_submitted_again(
    code: grpc.StatusCode, details: str
) -> None:
    names, _ = await _submitted(_Relay((code, details)))

    assert names == ["a", "b"]


async def test_a_refused_stream_ends_the_submission() -> None:
    with pytest.raises(Problem) as caught:
        await _submitted(_Relay((grpc.StatusCode.PERMISSION_DENIED, "no")))

    assert caught.value.code is grpc.StatusCode.PERMISSION_DENIED


async def test_what_there_was_no_room_for_is_submitted_again_over_the_same_stream() -> None:
    relay = _Relay(full=["a"])

    names, _ = await _submitted(relay)

    assert (names, relay.streams) == (["b", "a"], 1)


async def test_what_the_relay_knew_before_is_counted() -> None:
    assert await _submitted(_Relay(known=2)) == (["a", "b"], 2)


async def test_what_it_may_know_from_this_very_run_is_not_counted() -> None:
    broken = (grpc.StatusCode.UNAVAILABLE, "the Relay is stopping")

    assert await _submitted(_Relay(broken, known=2)) == (["a", "b"], 0)
