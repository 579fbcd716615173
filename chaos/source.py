"""The source: a steady stream of messages, submitted until each one is answered."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import grpc

from demo.machine import SENDER_DOMAIN
from emta.channel import connect
from emta.problems import Problem
from emta.relay.v1.message_pb2 import Message
from emta.relay.v1.relay_service_pb2 import SubmitMessagesRequest, SubmitMessagesResponse, SubmitResult
from emta.relay.v1.relay_service_pb2_grpc import RelayServiceStub

if TYPE_CHECKING:
    from emta.relay.v1.relay_service_pb2_grpc import RelayServiceAsyncStub

DELIVERY = "chaos"
RATE = 200.0  # messages a second: faults-and-attacks.md, section 2
# After a fault what waited comes all at once: it may be told when to come again.
TRY_AGAIN = frozenset({"UNAVAILABLE", "RESOURCE_EXHAUSTED"})
_TICK_SECONDS = 0.05
_CALL_SECONDS = 5.0
_PAUSE_SECONDS = 0.2
# Longer than any fault of the suite.
_PATIENCE_SECONDS = 90.0
_FILLER = b"The quick brown fox jumps over the lazy dog, again and again.\r\n" * 16
_CONTENT = (
    f"From: Shop <news@{SENDER_DOMAIN}>\r\nTo: you@example.com\r\nSubject: Hello\r\n\r\n".encode() + _FILLER
)


def message(message_id: str, domain: str, **fields: object) -> Message:
    """A message of about 1 KB to the recipient that its id names."""
    return Message(
        message_id=message_id,
        delivery_id=DELIVERY,
        mail_from=f"bounces@{SENDER_DOMAIN}",
        rcpt_to=f"{message_id}@{domain}",
        **{"content": _CONTENT, **fields},  # type: ignore[arg-type]
    )


class Source:
    """Submits messages and remembers what it was answered.

    accepted: when (monotonic, seconds) a message's acceptance arrived. errors: how often what went wrong,
    by code and reason; each such message is submitted again.
    """

    def __init__(self, relay: str, domains: Sequence[str]) -> None:
        """`relay`: a target of gRPC; `domains` get the messages in turn."""
        self.accepted: dict[str, float] = {}
        self.refused: dict[str, str] = {}  # for good, by reason
        self.errors: Counter[str] = Counter()
        self.seconds: list[float] = []  # from each call to its answer
        self.without_delay = 0  # RESOURCE_EXHAUSTED that did not say when to come again
        self.duplicates = 0  # messages that the Relay said it had already
        self._domains = domains
        self._channel = connect(relay)
        self._relay: RelayServiceAsyncStub = RelayServiceStub(self._channel)
        self._number = 0
        self._sending: dict[asyncio.Task[None], int] = {}  # and how many messages each submits

    async def close(self) -> None:
        """Let go of the connection."""
        for task in self._sending:
            task.cancel()
        await asyncio.gather(*self._sending, return_exceptions=True)
        await self._channel.close()

    @property
    def unanswered(self) -> int:
        """Messages that are being submitted; of a batch all, until the last of it is answered."""
        return sum(self._sending.values())

    def next(self) -> Message:
        """The next message: of twenty, one is refused once and one has no such recipient."""
        self._number += 1
        kind = {7: "busy", 17: "unknown"}.get(self._number % 20, "ok")
        return message(f"{kind}-{self._number:06d}", self._domains[self._number % len(self._domains)])

    @asynccontextmanager
    async def load(
        self, messages: int, rate: float = RATE, make: Callable[[], Message] | None = None
    ) -> AsyncIterator[None]:
        """Submit at `rate` a second for as long as the block lasts, and at least so many messages; then
        wait until all are answered. Where the block fails, or is cancelled, nothing more is submitted."""
        enough = asyncio.Event()
        stream = asyncio.create_task(self._stream(messages, rate, make or self.next, enough))
        try:
            yield
        except BaseException:
            stream.cancel()
            raise
        enough.set()
        await stream
        await self.until_answered()

    async def until_answered(self) -> None:
        """Wait until every message submitted so far is answered, or a minute and a half is over."""
        if self._sending:
            await asyncio.wait(set(self._sending), timeout=_PATIENCE_SECONDS)

    async def _stream(
        self, messages: int, rate: float, make: Callable[[], Message], enough: asyncio.Event
    ) -> None:
        began, sent = time.monotonic(), 0
        while not enough.is_set() or sent < messages:
            due = int((time.monotonic() - began) * rate) - sent
            # What piled up while this process had no time goes out in batches of the usual size.
            while due > 0:
                batch = [make() for _ in range(min(due, 100))]
                due -= len(batch)
                sent += len(batch)
                self.submit_in_background(batch)
            await asyncio.sleep(_TICK_SECONDS)

    def submit_in_background(self, batch: Sequence[Message]) -> None:
        """Submit a batch until it is answered."""
        task = asyncio.create_task(self.submit(batch))
        self._sending[task] = len(batch)
        task.add_done_callback(self._sending.pop)

    async def submit(self, batch: Sequence[Message]) -> None:
        """Submit a batch, and again what was put off or not answered, until all of it is answered."""
        left = list(batch)
        while left:
            began = time.monotonic()
            try:
                results = await self.call(left)
            except Problem as problem:
                self._note(problem)
                await asyncio.sleep(problem.retry_after or _PAUSE_SECONDS)
                continue
            took, before = time.monotonic() - began, len(left)
            delays = [self._put_off(result) for result in results]
            left = [item for item, delay in zip(left, delays, strict=True) if delay is not None]
            if len(left) < before:
                self.seconds.append(took)
            if left:
                await asyncio.sleep(max(delay for delay in delays if delay is not None))

    async def call(self, batch: Sequence[Message]) -> list[SubmitResult]:
        """Submit a batch once. Raises Problem."""
        call = self._relay.SubmitMessages(
            iter([SubmitMessagesRequest(messages=batch)]), timeout=_CALL_SECONDS
        )
        try:
            response = await call.read()
        except grpc.aio.AioRpcError as error:
            raise Problem.from_rpc_error(error) from None
        finally:
            call.cancel()
        if not isinstance(response, SubmitMessagesResponse):
            raise Problem(grpc.StatusCode.UNAVAILABLE, "STREAM_ENDED", "the Relay ended the stream")
        self.duplicates += response.duplicates
        return list(response.results)

    def _put_off(self, result: SubmitResult) -> float | None:
        """Note an answer; gives the seconds after which to submit the message again, if it has to be."""
        if result.WhichOneof("result") == "acceptance":
            self.accepted.setdefault(result.message_id, time.monotonic())
            return None
        problem = Problem.from_status(result.error)
        if problem.is_transient:
            self._note(problem)
            return problem.retry_after or _PAUSE_SECONDS
        self.refused[result.message_id] = problem.reason
        return None

    def _note(self, problem: Problem) -> None:
        self.errors[f"{problem.code.name} {problem.reason}"] += 1
        if problem.code is grpc.StatusCode.RESOURCE_EXHAUSTED and problem.retry_after is None:
            self.without_delay += 1
