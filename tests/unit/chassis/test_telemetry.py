"""Spans of one message, and none where it is not sampled."""

from __future__ import annotations

import io
import json
import logging

import pytest

from services.chassis import logs, telemetry
from services.chassis.telemetry import message_span

SAMPLED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
UNSAMPLED = SAMPLED[:-1] + "0"


@pytest.mark.parametrize("traceparent", ["", UNSAMPLED])
def test_an_unsampled_message_hands_its_context_on_unchanged(traceparent: str) -> None:
    with message_span("relay", "relay.accept", traceparent) as span:
        span.set(emta__attempt=1)
        span.fail("NO_KEY")

    assert span.traceparent == traceparent


@pytest.mark.parametrize("traceparent", ["garbage-01", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
def test_a_malformed_context_is_no_context(traceparent: str) -> None:
    with message_span("relay", "relay.accept", traceparent) as span:
        pass

    assert span.traceparent == ""


@pytest.mark.parametrize(("ratio", "begins"), [(0.0, False), (1.0, True)])
def test_a_message_without_context_begins_a_trace_by_ratio(ratio: float, begins: bool) -> None:
    assert bool(telemetry.new_trace(ratio)) is begins


def test_an_exception_goes_through_a_span() -> None:
    with pytest.raises(ValueError, match="x"), message_span("relay", "relay.accept", SAMPLED):
        raise ValueError("x")


def test_a_log_event_is_one_json_line_whatever_is_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs._JsonFormatter())
    logger = logging.getLogger("emta.test")
    monkeypatch.setattr(logger, "handlers", [handler])
    monkeypatch.setattr(logger, "propagate", False)

    logs.Log("test").warning("refused", text='550 x\r\n{"forged": 1}\x1b[31m\u2028')

    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["text"].startswith("550 x\r\n")
    assert json.loads(line)["service"] == "test"
