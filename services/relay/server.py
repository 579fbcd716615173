"""The Relay's RPCs: proto in, proto out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack
from typing import Any

import grpc
from opentelemetry.trace import SpanKind

from emta.problems import Problem, invalid, unavailable
from emta.relay.v1 import relay_service_pb2_grpc
from emta.relay.v1.message_pb2 import Acceptance, Message
from emta.relay.v1.relay_service_pb2 import (
    SubmitMessagesRequest,
    SubmitMessagesResponse,
    SubmitResult,
)
from services.chassis import telemetry
from services.chassis.clock import Clock
from services.chassis.headroom import Headroom
from services.chassis.rpc import tenant_of
from services.chassis.store import store_problems
from services.relay import outcomes, resubmission, submission
from services.relay.intake import Intake, work
from services.relay.resubmission import Rows
from services.relay.settings import RelaySettings
from services.relay.store.accept import Accepting, Acceptor
from services.relay.submission import Submission

# Contract decision 15.
_MAX_MESSAGES = 100
_MAX_BYTES = 1024 * 1024
# Messages that are checked before sessions and new calls get the processor again: a millisecond's worth.
_AT_A_STRETCH = 10

_Context = grpc.aio.ServicerContext[Any, Any]


class RelayService(relay_service_pb2_grpc.RelayServiceServicer):
    """Accepts into one queue; `accepted` is called whenever something was."""

    def __init__(
        self,
        acceptor: Acceptor,
        clock: Clock,
        settings: RelaySettings,
        headroom: Headroom,
        intake: Intake,
        accepted: Callable[[], None],
        rows: Rows,
    ) -> None:
        self._acceptor = acceptor
        self._clock = clock
        self._settings = settings
        self._headroom = headroom
        self._intake = intake
        self._return_paths = settings.return_paths
        self._internal = frozenset(name.lower().encode() for name in settings.internal_headers)
        self._accepted = accepted
        self._rows = rows
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End the streams after the batch at hand: the process drains."""
        self._stopping.set()

    async def SubmitMessages(
        self, request_iterator: AsyncIterator[SubmitMessagesRequest], context: _Context
    ) -> AsyncIterator[SubmitMessagesResponse]:
        """Answer batch by batch, in order."""
        async for request in self._until_stopped(request_iterator):
            yield await self._submit(request, tenant_of(context))

    async def _until_stopped(
        self, requests: AsyncIterator[SubmitMessagesRequest]
    ) -> AsyncIterator[SubmitMessagesRequest]:
        source = aiter(requests)
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            while True:
                coming = asyncio.ensure_future(anext(source, None))
                await asyncio.wait({coming, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not coming.done():
                    coming.cancel()
                    raise unavailable("DRAINING", "the Relay is stopping; submit the rest again")
                request = coming.result()
                if request is None:
                    return
                yield request
        finally:
            stopping.cancel()

    async def _submit(self, request: SubmitMessagesRequest, tenant: str) -> SubmitMessagesResponse:
        size = _check_batch(request)
        if not self._headroom.accepts:
            return _put_off(request, "QUEUE_FULL", "the store is nearly full", 5.0)
        cost = work(len(request.messages), size)
        if (delay := self._intake.put_off(cost)) is not None:
            return _put_off(request, "BUSY", "more is coming in than can be written down", delay)
        with self._intake.holding(cost):
            return await self._take(request, tenant, size)

    async def _take(self, request: SubmitMessagesRequest, tenant: str, size: int) -> SubmitMessagesResponse:
        now_ms = self._clock.now_ms()
        if size > _MAX_BYTES:
            # A large message is normalised beside the loop, so that nobody waits for it.
            checked = await asyncio.to_thread(self._check_all, request.messages, tenant, now_ms)
        else:
            checked = []
            async with self._intake.turn():
                for start in range(0, len(request.messages), _AT_A_STRETCH):
                    stretch = request.messages[start : start + _AT_A_STRETCH]
                    checked += self._check_all(stretch, tenant, now_ms)
                    await asyncio.sleep(0)
        checked = await resubmission.admit(self._rows, checked, now_ms)
        good = [item for item in checked if isinstance(item, Submission)]
        with store_problems():
            answers = await self._queue_all(good, now_ms)
        if good:
            self._accepted()
        return SubmitMessagesResponse(
            duplicates=sum(isinstance(first, bytes) and first != b"" for first in answers.values()),
            results=[
                _result(message, item, answers)
                for message, item in zip(request.messages, checked, strict=True)
            ],
        )

    def _check_all(
        self, messages: Sequence[Message], tenant: str, now_ms: int
    ) -> list[Submission | Problem]:
        return [self._check(message, tenant, now_ms) for message in messages]

    def _check(self, message: Message, tenant: str, now_ms: int) -> Submission | Problem:
        try:
            return submission.check(
                message,
                tenant=tenant,
                now_ms=now_ms,
                ehlo_name=self._settings.ehlo_name,
                internal_fields=self._internal,
                return_paths=self._return_paths,
            )
        except Problem as problem:
            return problem

    async def _queue_all(self, good: list[Submission], now_ms: int) -> dict[int, bytes | Problem]:
        """Queue the submissions; gives, by identity of the object, the acceptance given before, or why it
        has to come again."""
        batch: list[Accepting] = []
        with ExitStack() as spans:
            for item in good:
                parent = item.message.traceparent or telemetry.new_trace(self._settings.trace_ratio)
                span = telemetry.begin_span("relay", "relay.accept", parent, kind=SpanKind.SERVER)
                spans.callback(span.end)
                told = outcomes.taken_into_account(item, span.traceparent)
                batch.append(Accepting(item, span.traceparent, told))
            firsts = await self._acceptor.accept(batch, now_ms) if batch else []
        return {id(item): first for item, first in zip(good, firsts, strict=True)}


def _put_off(
    request: SubmitMessagesRequest, reason: str, text: str, retry_after: float
) -> SubmitMessagesResponse:
    """Refuse all messages of a batch for now."""
    problem = Problem(grpc.StatusCode.RESOURCE_EXHAUSTED, reason, text, retry_after=retry_after)
    status = problem.to_status()
    return SubmitMessagesResponse(
        results=[
            SubmitResult(delivery_id=message.delivery_id, message_id=message.message_id, error=status)
            for message in request.messages
        ]
    )


def _check_batch(request: SubmitMessagesRequest) -> int:
    if not request.messages:
        raise invalid("messages", "BATCH_EMPTY", "messages is empty")
    size = sum(len(message.content) for message in request.messages)
    if len(request.messages) > _MAX_MESSAGES or (size > _MAX_BYTES and len(request.messages) > 1):
        raise invalid(
            "messages",
            "BATCH_TOO_LARGE",
            f"a batch is at most {_MAX_MESSAGES} messages and {_MAX_BYTES} octets of content; one larger "
            "message may travel alone",
        )
    return size


def _result(
    message: Message, item: Submission | Problem, answers: dict[int, bytes | Problem]
) -> SubmitResult:
    result = SubmitResult(delivery_id=message.delivery_id, message_id=message.message_id)
    answer = item if isinstance(item, Problem) else answers[id(item)] or item.acceptance
    if isinstance(answer, Problem):
        result.error.CopyFrom(answer.to_status())
    else:
        result.acceptance.CopyFrom(Acceptance.FromString(answer) if isinstance(answer, bytes) else answer)
    return result
