"""Traces. A message carries its trace context (W3C traceparent) through every batch and every retry.

Spans of one message are opened with `message_span`: a child of the context that the message carries. It
costs a string comparison where the message is not sampled.
"""

from __future__ import annotations

import os
import random
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
)

_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")
_SAMPLED = tuple("13579bdf")
_NEW_TRACE = "new-01"
# A collector that is away may not hold up a stop for longer.
_FLUSH_MILLIS = 2_000

Attributes = Mapping[str, str | int | float | bool]


def new_trace(ratio: float) -> str:
    """Decide about a message that came without a context: a new trace with probability `ratio`.

    What it gives stands in place of a traceparent in `message_span`, whose span is then the root.
    """
    return _NEW_TRACE if random.random() < ratio else ""


class MessageSpan:
    """One step of one message. `traceparent` is what to hand on to the next step."""

    __slots__ = ("_span", "traceparent")

    def __init__(self, span: Span | None, traceparent: str) -> None:
        self._span = span
        self.traceparent = traceparent

    def set(self, **attributes: str | int | float | bool) -> None:
        """Add attributes. Never addresses, never secrets."""
        if self._span is not None:
            self._span.set_attributes({k.replace("__", "."): v for k, v in attributes.items()})

    def fail(self, reason: str) -> None:
        """Mark the step as failed."""
        if self._span is not None:
            self._span.set_status(Status(StatusCode.ERROR, reason))

    def end(self) -> None:
        """End the step; only for spans that `begin_span` gave."""
        if self._span is not None:
            self._span.end()


def begin_span(
    service: str,
    name: str,
    traceparent: str,
    attributes: Attributes | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
) -> MessageSpan:
    """Begin the span `name` as a child of `traceparent`, to be ended by whoever comes to its end."""
    # The lowest bit of the flags says sampled; others may be set beside it (W3C Trace Context level 2).
    if traceparent[-1:] not in _SAMPLED:
        return MessageSpan(None, traceparent)
    context = Context() if traceparent == _NEW_TRACE else _remote(traceparent)
    if context is None:
        return MessageSpan(None, "")
    span = trace.get_tracer(f"emta.{service}").start_span(name, context, kind, attributes)
    own = span.get_span_context()
    return MessageSpan(span, f"00-{own.trace_id:032x}-{own.span_id:016x}-01")


@contextmanager
def message_span(
    service: str,
    name: str,
    traceparent: str,
    attributes: Attributes | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
) -> Iterator[MessageSpan]:
    """Open the span `name` as a child of `traceparent`; free where that is not sampled."""
    span = begin_span(service, name, traceparent, attributes, kind)
    try:
        yield span
    except BaseException as error:
        span.fail(type(error).__name__)
        raise
    finally:
        span.end()


def _remote(traceparent: str) -> Context | None:
    parsed = _TRACEPARENT.fullmatch(traceparent)
    if parsed is None:
        return None
    parent = SpanContext(int(parsed[1], 16), int(parsed[2], 16), True, TraceFlags(TraceFlags.SAMPLED))
    return trace.set_span_in_context(NonRecordingSpan(parent), Context())


def setup(service: str) -> TracerProvider:
    """Give the process its tracer provider; exports when OTEL_EXPORTER_OTLP_ENDPOINT is set.

    Sampling is decided where a trace begins: here every child of a sampled parent is recorded.
    """
    resource = Resource.create({"service.name": f"emta-{service}"})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter

        exporter = OTLPSpanExporter(timeout=_FLUSH_MILLIS / 1000)
        provider.add_span_processor(BatchSpanProcessor(exporter, export_timeout_millis=_FLUSH_MILLIS))
    trace.set_tracer_provider(provider)
    return provider


def shut_down(provider: TracerProvider) -> None:
    """Export what is left, for two seconds at most; the exporter itself would wait far longer."""
    flushing = threading.Thread(target=provider.shutdown, daemon=True)
    flushing.start()
    flushing.join(_FLUSH_MILLIS / 1000)
