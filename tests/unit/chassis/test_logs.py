"""Whatever a log event carries, it is one line of JSON."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from services.chassis import logs

# What receivers put into replies to forge a line, hide one, or colour a terminal.
HOSTILE = 'x\r\n{"level": "info"}\x1b[31m\u2028\u2029\x00\x7f'
# Of a byte that is no UTF-8. Only in fields: pytest keeps texts, and xdist's workers die of one with it.
SURROGATE = "\ud800"


class Lines:
    def __init__(self) -> None:
        self.stream = io.StringIO()

    def read(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    def only(self) -> dict[str, Any]:
        (line,) = self.read()
        return line


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    root, ours = logging.getLogger(), logging.getLogger("emta")
    before = (root.handlers[:], root.level, ours.level)
    # setup() would close the handlers of pytest.
    root.handlers[:] = []
    lines = Lines()
    monkeypatch.setattr("sys.stderr", lines.stream)
    logs.setup("info")
    yield lines
    root.handlers[:] = before[0]
    root.setLevel(before[1])
    ours.setLevel(before[2])


def test_an_event_has_time_level_service_name_and_fields(lines: Lines) -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    logs.Log("relay").warning("store_away", waited_ms=12)

    line = lines.only()
    time = datetime.fromisoformat(line.pop("time"))
    assert before <= time <= datetime.now(UTC)
    assert time.utcoffset() == UTC.utcoffset(None)
    assert line == {"level": "warning", "service": "relay", "event": "store_away", "waited_ms": 12}


def test_hostile_text_stays_within_its_line_and_survives_it(lines: Lines) -> None:
    logs.Log("relay").info("refused", reply=HOSTILE + SURROGATE)

    raw = lines.stream.getvalue()
    assert raw.count("\n") == 1
    assert all(" " <= character <= "~" for character in raw.rstrip("\n"))
    assert lines.only()["reply"] == HOSTILE + SURROGATE


def test_logs_of_libraries_become_json_too_from_warning_on(lines: Lines) -> None:
    logging.getLogger("aiosmtplib").info("chatter")
    logging.getLogger("aiosmtplib").warning("bad %s", HOSTILE)

    line = lines.only()
    assert (line["service"], line["event"]) == ("aiosmtplib", f"bad {HOSTILE}")


def test_an_exception_is_one_line_with_its_traceback(lines: Lines) -> None:
    try:
        raise RuntimeError(HOSTILE)
    except RuntimeError:
        logs.Log("relay").error("rpc_failed", trace=True, method="/x")

    line = lines.only()
    assert line["method"] == "/x"
    assert "test_logs.py" in line["exception"]
    assert line["exception"].endswith(f"RuntimeError: {HOSTILE}")


def test_values_without_a_json_form_are_written_as_text(lines: Lines) -> None:
    logs.Log("relay").info("odd", value=UTC)

    assert lines.only()["value"] == "UTC"


def test_less_severe_events_are_left_out(lines: Lines) -> None:
    logs.Log("relay").debug("chatter")

    assert lines.read() == []


def test_an_event_within_a_span_names_its_trace(lines: Lines) -> None:
    tracer = TracerProvider().get_tracer("test")
    with tracer.start_as_current_span("outer") as span:
        logs.Log("relay").info("inside")
    logs.Log("relay").info("outside")

    inside, outside = lines.read()
    context = span.get_span_context()
    assert inside["trace_id"] == trace.format_trace_id(context.trace_id)
    assert inside["span_id"] == trace.format_span_id(context.span_id)
    assert "trace_id" not in outside
