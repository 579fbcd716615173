"""One trace tells a message's whole story, also when an attempt happens hours later."""

from __future__ import annotations

import asyncio

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from emta.feedback.v1.log_pb2 import LogStatus
from tests.e2e.conftest import World, message
from tests.support.eventually import eventually

TRACE_ID = 0x4BF92F3577B34DA6A3CE929D0E0E4736
CALLER = f"00-{TRACE_ID:032x}-00f067aa0ba902b7-01"

# Name of a span, and what happened within it: by name, then by time (reports run beside the attempts).
EXPECTED = (
    "caller",
    (
        (
            "relay.accept",
            (
                ("feedback.record", ()),  # taken into account
                (
                    "relay.attempt",
                    (
                        ("bounce.qualify", ()),
                        ("feedback.record", ()),  # deferral
                        ("signer.sign", ()),
                        ("smtp.transaction", ()),
                    ),
                ),
                (
                    "relay.attempt",
                    (
                        ("feedback.record", ()),  # sent
                        ("signer.sign", ()),
                        ("smtp.transaction", ()),
                    ),
                ),
            ),
        ),
    ),
)


@pytest.fixture(scope="module")
def exporter() -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    return exporter


def tree(spans: list[ReadableSpan], span_id: int, name: str) -> tuple[str, tuple[object, ...]]:
    children = [span for span in spans if span.parent is not None and span.parent.span_id == span_id]
    children.sort(key=lambda span: (span.name, span.start_time))
    return name, tuple(tree(spans, child.context.span_id, child.name) for child in children)


async def test_the_span_tree_of_a_message_that_is_retried(
    exporter: InMemorySpanExporter, world: World
) -> None:
    exporter.clear()
    await world.submit(message("mailbox-full-then-ok@alpha.example", traceparent=CALLER))
    await world.until_retries(1)
    world.clock.advance(2 * 3600)
    await world.until(LogStatus.LOG_STATUS_SENT)

    async def complete() -> bool:
        await asyncio.sleep(0)
        return sum(span.name == "feedback.record" for span in exporter.get_finished_spans()) == 3

    await eventually(complete, "the last span")
    spans = [span for span in exporter.get_finished_spans() if span.context.trace_id == TRACE_ID]
    assert tree(spans, 0x00F067AA0BA902B7, "caller") == EXPECTED


async def test_spans_hold_no_addresses_and_unsampled_messages_have_none(
    exporter: InMemorySpanExporter, world: World
) -> None:
    exporter.clear()
    await world.submit(
        message("user-unknown+1@alpha.example", "m1", traceparent=CALLER),
        message("user-unknown+2@alpha.example", "m2", traceparent=CALLER[:-2] + "00"),
    )
    await world.until(LogStatus.LOG_STATUS_FAILED, "m1")
    await world.until(LogStatus.LOG_STATUS_FAILED, "m2")

    spans = exporter.get_finished_spans()
    assert [span.name for span in spans].count("relay.attempt") == 1
    assert not any("@" in str(value) for span in spans for value in (span.attributes or {}).values())
