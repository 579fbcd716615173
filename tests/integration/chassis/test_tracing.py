"""Spans leave a process for the collector; one that is away holds up nothing."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

from emta.bounce.v1.bounce_service_pb2 import QualifyRepliesItem, QualifyRepliesRequest
from emta.bounce.v1.bounce_service_pb2_grpc import BounceServiceStub
from emta.bounce.v1.smtp_reply_pb2 import SmtpReply
from emta.channel import connect
from tests.integration.chassis.processes import Process, started

TRACE_ID = 0x4BF92F3577B34DA6A3CE929D0E0E4736
SAMPLED = f"00-{TRACE_ID:032x}-00f067aa0ba902b7-01"


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """A collector as OpenTelemetry defines it."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Any]] = []

    async def Export(self, request: Any, context: Any) -> Any:
        for group in request.resource_spans:
            names = {pair.key: pair.value.string_value for pair in group.resource.attributes}
            self.spans += [
                (names["service.name"], span) for scope in group.scope_spans for span in scope.spans
            ]
        return trace_service_pb2.ExportTraceServiceResponse()


@asynccontextmanager
async def bounce(collector: str) -> AsyncIterator[Process]:
    """A real service that has a span to tell of, and is then told to stop."""
    otel = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{collector}", "OTEL_EXPORTER_OTLP_INSECURE": "true"}
    async with started("services.bounce", EMTA_BOUNCE_LISTEN="127.0.0.1:0", **otel) as process:
        async with connect((await process.event("serving"))["address"]) as channel:
            item = QualifyRepliesItem(reply=SmtpReply(code=550, text="no such user"), traceparent=SAMPLED)
            unsampled = QualifyRepliesItem(reply=item.reply, traceparent=SAMPLED[:-1] + "0")
            request = QualifyRepliesRequest(items=[item, unsampled])
            began = time.monotonic()
            answer = await BounceServiceStub(channel).QualifyReplies(request)
            assert len(answer.results) == 2
            assert time.monotonic() - began < 1
        process.signal(signal.SIGTERM)
        await process.event("stopped")
        yield process


async def test_the_last_spans_are_exported_at_the_end() -> None:
    collector, server = Collector(), grpc.aio.server()
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with bounce(f"127.0.0.1:{port}") as process:
            assert await process.end() == 0
    finally:
        await server.stop(None)

    ((service, span),) = collector.spans
    assert (service, span.name) == ("emta-bounce", "bounce.qualify")
    assert span.trace_id == TRACE_ID.to_bytes(16, "big")
    assert span.parent_span_id == bytes.fromhex("00f067aa0ba902b7")


@pytest.mark.parametrize("answers", [False, True], ids=["refuses", "accepts and is silent"])
async def test_a_collector_that_is_away_holds_up_the_end_by_two_seconds_at_most(answers: bool) -> None:
    connections: list[asyncio.StreamWriter] = []

    async def keep(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)

    silent = await asyncio.start_server(keep, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    if not answers:
        silent.close()
        await silent.wait_closed()
    async with bounce(f"127.0.0.1:{port}") as process:
        began = time.monotonic()
        assert await process.end() == 0
        # Fault F20: 2 s at most; the rest is the interpreter's own end.
        assert time.monotonic() - began < 3
    for writer in connections:
        writer.close()
    silent.close()
