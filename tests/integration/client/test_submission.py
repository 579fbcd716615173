"""Submitting over all that a Relay's restart does to the stream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
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
from emta.submission import BATCH_BYTES, Submission

# So large that each travels alone.
LARGE = b"x" * BATCH_BYTES


class _Relay(RelayServiceServicer):
    """Ends its first streams with a bare status, as gRPC does; puts some messages off for so many seconds;
    then answers."""

    def __init__(
        self,
        *end: tuple[grpc.StatusCode, str],
        known: int = 0,
        put_off: Mapping[str, float] = {},
    ) -> None:
        self._end = list(end)
        self._known = known
        self._put_off = dict(put_off)
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
        if name not in self._put_off:
            return SubmitResult(message_id=name)
        delay = self._put_off.pop(name)
        full = Problem(grpc.StatusCode.RESOURCE_EXHAUSTED, "OUTBOX_FULL", "full", retry_after=delay)
        return SubmitResult(message_id=name, error=full.to_status())


async def _submitted(relay: _Relay, names: str = "ab", content: bytes = b"") -> tuple[list[str], int]:
    server = grpc.aio.server()
    add_RelayServiceServicer_to_server(relay, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    peer = Peer("Relay", f"127.0.0.1:{port}")
    try:
        submission = Submission(peer, [Message(message_id=name, content=content) for name in names])
        answered = [result.message_id async for result in submission.results()]
        return answered, submission.duplicates
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
    relay = _Relay(put_off={"a": 0.01})

    names, _ = await _submitted(relay)

    assert (names, relay.streams) == (["b", "a"], 1)


async def test_each_batch_comes_again_in_its_own_time() -> None:
    """One after the other, four batches would be waited for four times as long."""
    relay = _Relay(put_off={"a": 0.5, "b": 0.02, "c": 0.01, "d": 0.01})

    names, _ = await _submitted(relay, "abcd", LARGE)

    assert names[-1] == "a"


async def test_nothing_new_is_submitted_while_something_put_off_waits_for_its_time() -> None:
    relay = _Relay(put_off=dict.fromkeys("abcd", 0.01))

    names, _ = await _submitted(relay, "abcdefgh", LARGE)

    assert sorted(names[:4]) == ["a", "b", "c", "d"]


async def test_what_the_relay_knew_before_is_counted() -> None:
    assert await _submitted(_Relay(known=2)) == (["a", "b"], 2)


async def test_what_it_may_know_from_this_very_run_is_not_counted() -> None:
    broken = (grpc.StatusCode.UNAVAILABLE, "the Relay is stopping")

    assert await _submitted(_Relay(broken, known=2)) == (["a", "b"], 0)
