"""The five steps of a message's status, as they really happened in the demo's delivery."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from emta.cli import words
from emta.cli.tables import moment, reply_line, success_of
from emta.feedback.v1.log_pb2 import LogEvent
from emta.feedback.v1.outcome_pb2 import FailureCause

_TITLES = {
    "E1": "Message relayed",
    "E2": "Hard bounce",
    "E3": "Soft bounce",
    "E4": "A retry succeeds",
    "E5": "Validity ends",
}


def find(events: Iterable[LogEvent]) -> dict[str, LogEvent]:
    """Give one real event for each step; E3 and E4 are of the same message."""
    by_message: dict[str, list[LogEvent]] = {}
    for event in events:
        by_message.setdefault(event.outcome.message_id, []).append(event)
    found: dict[str, LogEvent] = {}
    for story in by_message.values():
        kinds = [event.outcome.WhichOneof("event") for event in story]
        last = story[-1]
        if kinds == ["taken_into_account", "failure"] and last.outcome.failure.qualification.type == 2:
            found.setdefault("E1", story[0])
            found.setdefault("E2", last)
        elif kinds[-1:] == ["sent"] and "deferral" in kinds and "E4" not in found:
            found["E3"], found["E4"] = story[kinds.index("deferral")], last
        elif (
            kinds[-1:] == ["failure"]
            and last.outcome.failure.cause == FailureCause.FAILURE_CAUSE_EXPIRED
            and "deferral" in kinds
        ):
            found.setdefault("E5", last)
    return found


def table(steps: dict[str, LogEvent]) -> Table:
    """Show the steps."""
    shown = Table(title="The five steps, as they happened", title_justify="left", show_lines=True)
    shown.add_column("Step", no_wrap=True)
    shown.add_column("What happened", overflow="fold", ratio=1)
    shown.add_column("Status", no_wrap=True)
    shown.add_column("Success", justify="right", no_wrap=True)
    for name, title in _TITLES.items():
        event = steps.get(name)
        if event is None:
            shown.add_row(f"{name} {title}", "did not happen", "", "")
            continue
        before, after = (words.STATUS_SHORT[s] for s in (event.status_before, event.status_after))
        shown.add_row(
            f"{name} {title}\n   {moment(event.outcome.event_time)}",
            Text(f"{event.outcome.recipient}\n{_said(event)}".strip()),
            f"{before}\n-> {after}",
            success_of(event.delivery_sent, event.delivery_to_deliver),
        )
    return shown


def _said(event: LogEvent) -> str:
    outcome = event.outcome
    match outcome.WhichOneof("event"):
        case "deferral":
            return reply_line(outcome.deferral.reply)
        case "sent":
            attempts = words.count(outcome.retry_count, "failed attempt")
            return f"accepted by {outcome.sent.mx_host} after {attempts}"
        case "failure":
            code = words.bounce_code(outcome.failure.qualification.bounce_code)
            return f"{reply_line(outcome.failure.reply)} (code {code})"
        case _:
            return ""
