"""Submitting many messages over one stream: batches, a window, and what to do when it breaks."""

from __future__ import annotations

import asyncio
from bisect import insort
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import grpc

from emta.peer import LATE_SECONDS, PATIENCE_SECONDS, Peer
from emta.problems import Problem
from emta.relay.v1.message_pb2 import Message
from emta.relay.v1.relay_service_pb2 import (
    SubmitMessagesRequest,
    SubmitMessagesResponse,
    SubmitResult,
)
from emta.relay.v1.relay_service_pb2_grpc import RelayServiceStub

if TYPE_CHECKING:
    from emta.relay.v1.relay_service_pb2_grpc import RelayServiceAsyncStub

# The contract's batch limits (SubmitMessagesRequest).
BATCH_MESSAGES = 100
BATCH_BYTES = 1024 * 1024

# Batches on the way at once: enough to keep the Relay busy while an answer travels back.
_WINDOW = 4
_FIRST_WAIT_SECONDS = 0.25
_LONGEST_WAIT_SECONDS = 5.0

_Call = grpc.aio.StreamStreamCall[SubmitMessagesRequest, SubmitMessagesResponse]


def batches(messages: Iterable[Message]) -> Iterator[list[Message]]:
    """Cut `messages` into batches within the contract's limits; a larger one travels alone."""
    batch: list[Message] = []
    size = 0
    for message in messages:
        if batch and (len(batch) == BATCH_MESSAGES or size + len(message.content) > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(message)
        size += len(message.content)
    if batch:
        yield batch


class _Batch(NamedTuple):
    messages: list[Message]
    again: bool = False  # written before: the Relay may have it from this very run


class _PutOff(NamedTuple):
    """When a batch may come again (seconds of the loop's clock), and why not before."""

    due: float
    batch: _Batch
    problem: Problem


class Submission:
    """One run over `messages`; `results()` yields an answer per message, in no promised order.

    `duplicates`: how many the Relay knew before this run, and did not queue again.
    """

    def __init__(self, relay: Peer, messages: Iterable[Message]) -> None:
        self._relay = relay
        self._source = map(_Batch, batches(messages))
        self._put_off: list[_PutOff] = []  # by the Relay: to submit once more; the next first
        self._unanswered: deque[_Batch] = deque()  # written, in order
        self.duplicates = 0
        self._stalled_since: float | None = None  # seconds of the loop's clock

    async def results(self) -> AsyncIterator[SubmitResult]:
        """Yield the results. Raises Problem when the stream fails for good."""
        stub: RelayServiceAsyncStub = RelayServiceStub(self._relay.channel)
        while True:
            call: _Call = stub.SubmitMessages()
            try:
                with self._relay.late(connecting=True):
                    async for result in self._converse(call):
                        yield result
                    return
            except grpc.aio.AioRpcError as error:
                problem = self._relay.problem(error)
                if not problem.is_transient:
                    raise problem from None
                await self._wait(self._delay(problem), problem)
            finally:
                call.cancel()

    async def _converse(self, call: _Call) -> AsyncIterator[SubmitResult]:
        self._unanswered = deque(batch._replace(again=True) for batch in self._unanswered)
        for batch in self._unanswered:
            await _write(call, batch)
        while await self._fill(call):
            response = await call.read()
            if not isinstance(response, SubmitMessagesResponse):
                # The Relay drains and ended the stream: the rest goes over a new one.
                raise grpc.aio.AioRpcError(
                    grpc.StatusCode.UNAVAILABLE,
                    grpc.aio.Metadata(),
                    grpc.aio.Metadata(),
                    "the Relay ended the stream",
                )
            batch = self._unanswered.popleft()
            if not batch.again:
                self.duplicates += response.duplicates
            again: list[Message] = []
            problem: Problem | None = None
            for message, result in zip(batch.messages, response.results, strict=True):
                refusal = _refusal(result)
                if refusal is None:
                    self._stalled_since = None
                    yield result
                else:
                    problem = refusal
                    again.append(message)
            if problem is not None:
                self._come_again(again, problem)
        await call.done_writing()

    async def _fill(self, call: _Call) -> bool:
        """Keep the window full; False when everything is answered."""
        while len(self._unanswered) < _WINDOW and (batch := await self._next()) is not None:
            self._unanswered.append(batch)
            await _write(call, batch)
        return bool(self._unanswered)

    async def _next(self) -> _Batch | None:
        """Give what to write now, if there is something. What was put off comes first, in its time: for
        that it waits only where no answer has to be read meanwhile."""
        if not self._put_off:
            return next(self._source, None)
        first = self._put_off[0]
        wait = first.due - asyncio.get_running_loop().time()
        if wait > 0:
            if self._unanswered:
                return None
            await self._wait(wait, first.problem)
        return self._put_off.pop(0).batch

    def _come_again(self, messages: list[Message], problem: Problem) -> None:
        """Note when to submit what was put off. Raises the problem when nothing has moved for too long."""
        due = asyncio.get_running_loop().time() + self._delay(problem)
        put_off = _PutOff(due, _Batch(messages, again=True), problem)
        insort(self._put_off, put_off, key=lambda each: each.due)

    def _delay(self, problem: Problem) -> float:
        """Give the seconds to wait after a problem. Raises it when nothing has moved for too long."""
        stalled = self._stalled_seconds()
        if stalled >= PATIENCE_SECONDS:
            raise problem
        if problem.retry_after is not None:
            return problem.retry_after
        return min(max(stalled, _FIRST_WAIT_SECONDS), _LONGEST_WAIT_SECONDS)

    async def _wait(self, seconds: float, problem: Problem) -> None:
        # Back pressure for moments is how it should be.
        if self._stalled_seconds() + seconds >= LATE_SECONDS:
            self._relay.tell(f"{problem.message}; trying again")
        await asyncio.sleep(seconds)

    def _stalled_seconds(self) -> float:
        """How long nothing has moved, since the first problem."""
        now = asyncio.get_running_loop().time()
        if self._stalled_since is None:
            self._stalled_since = now
        return now - self._stalled_since


def _refusal(result: SubmitResult) -> Problem | None:
    """Give why the Relay wants the message again later; None when the result is an answer."""
    if result.WhichOneof("result") != "error":
        return None
    problem = Problem.from_status(result.error)
    return problem if problem.is_transient else None


async def _write(call: _Call, batch: _Batch) -> None:
    try:
        await call.write(SubmitMessagesRequest(messages=batch.messages))
    except asyncio.InvalidStateError:
        # The call has ended: its status says why, and comes with the next read.
        code = await call.code()
        raise grpc.aio.AioRpcError(
            code,
            await call.initial_metadata(),
            await call.trailing_metadata(),
            await call.details(),
        ) from None
