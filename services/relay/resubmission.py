"""Messages that live again: failed once, corrected, and submitted anew within their first validity (E13).

Feedback alone knows what a correction allowed. It is asked while they are accepted, and for these only.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence

import grpc

from emta.feedback.v1.log_pb2 import LogEntry, LogStatus
from emta.problems import Problem, invalid, unavailable
from emta.relay.v1.message_pb2 import Acceptance
from services.relay.submission import Submission

# Gives the rows of some messages of a delivery, by message. Raises Problem.
Rows = Callable[[str, Sequence[str]], Awaitable[Mapping[str, LogEntry]]]


async def admit(
    rows: Rows, checked: Sequence[Submission | Problem], now_ms: int
) -> list[Submission | Problem]:
    """Put a Problem in the place of what may not live again; what may ends with its first validity."""
    messages: dict[str, list[str]] = defaultdict(list)
    for item in checked:
        if isinstance(item, Submission) and item.epoch > 1:
            messages[item.message.delivery_id].append(item.message.message_id)
    if not messages:
        return list(checked)
    try:
        known = {delivery: await rows(delivery, names) for delivery, names in messages.items()}
    except Problem as problem:
        away = unavailable("FEEDBACK_UNAVAILABLE", f"Feedback does not answer: {problem.reason}")
        return [away if isinstance(item, Submission) and item.epoch > 1 else item for item in checked]
    return [
        _admitted(item, known[item.message.delivery_id].get(item.message.message_id), now_ms)
        if isinstance(item, Submission) and item.epoch > 1
        else item
        for item in checked
    ]


def _admitted(item: Submission, row: LogEntry | None, now_ms: int) -> Submission | Problem:
    if row is None or not _is_open(row, item.epoch):
        return _closed(f"no correction has opened epoch {item.epoch} of this message")
    if row.recipient != item.message.rcpt_to:
        return invalid("rcpt_to", "RECIPIENT_CHANGED", "it was another recipient's message before")
    first_deadline = row.deadline_time.ToMilliseconds()
    deadline_ms = min(item.deadline_ms, first_deadline)
    if deadline_ms <= now_ms:
        return _closed("the validity of this message has ended")
    if item.due_ms >= deadline_ms:
        return invalid(
            "not_before_time",
            "NOT_BEFORE_AFTER_DEADLINE",
            "not_before_time lies at or after the end of the message's first validity",
        )
    acceptance = Acceptance()
    acceptance.CopyFrom(item.acceptance)
    acceptance.deadline_time.FromMilliseconds(deadline_ms)
    acceptance.clamped = acceptance.clamped or deadline_ms < item.deadline_ms
    return dataclasses.replace(item, deadline_ms=deadline_ms, acceptance=acceptance)


def _is_open(row: LogEntry, epoch: int) -> bool:
    """Whether the epoch may begin, or has begun: then the queue knows whether it has the message."""
    return row.epoch == epoch or (
        row.epoch == epoch - 1
        and row.status == LogStatus.LOG_STATUS_FAILED
        and row.requalified
        and row.HasField("resubmit_until_time")
    )


def _closed(text: str) -> Problem:
    return Problem(grpc.StatusCode.FAILED_PRECONDITION, "EPOCH_NOT_OPEN", text, field="epoch")
