"""What became of messages, as a terminal shows it: events, and rows of the log."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from emta.cli import words
from emta.cli.tables import moment, reply_line, stamp
from emta.feedback.v1.log_pb2 import LogEntry, LogEvent, LogStatus
from emta.feedback.v1.outcome_pb2 import HoldCause, SubscriptionWish


def event_line(event: LogEvent) -> Text:
    """One entry of the ledger in one line."""
    outcome = event.outcome
    kind = outcome.WhichOneof("event") or ""
    detail = getattr(outcome, kind) if kind else None
    line = Text(f"{moment(outcome.event_time)}  ", style="dim", no_wrap=True, overflow="ellipsis")
    label = "Taken into account" if kind == "taken_into_account" else words.enum_words(kind, "")
    style = words.STATUS_STYLE.get(event.status_after, "")
    line.append(f"{label.capitalize():<19}", style=style)
    line.append(f"{outcome.message_id:<8} ")
    if kind in ("deferral", "failure", "async_bounce") and detail is not None:
        meaning = detail.qualification
        line.append(f"{words.failure_type(meaning.type)} / {words.reason(meaning.reason)}: ")
        if meaning.incident_id:
            line.append(f"held by {meaning.incident_id}: ", style="yellow")
        line.append(reply_line(detail.reply), style="dim")
    elif kind == "correction":
        meaning = outcome.correction.qualification
        line.append(f"{words.failure_type(meaning.type)} / {words.reason(meaning.reason)}: ")
        line.append(f"{outcome.correction.comment} ({outcome.correction.actor})", style="dim")
    elif kind == "hold":
        line.append(_hold(outcome.hold.cause, outcome.hold.domain), style="dim")
    elif kind == "complaint":
        line.append(f"{outcome.complaint.feedback_type}, the address is denylisted", style="dim")
    elif kind == "subscription_request":
        wish = SubscriptionWish.Name(outcome.subscription_request.wish)
        line.append(words.enum_words(wish, "SUBSCRIPTION_WISH_"), style="dim")
    elif kind == "sent":
        line.append(f"{outcome.sent.mx_host} {outcome.sent.tls_version or 'plain text'}", style="dim")
    return line


def log_table(entries: Iterable[LogEntry], *, of_one_delivery: bool = True) -> Table:
    """Rows of the delivery log."""
    table = Table(title_justify="left", show_lines=True)
    if not of_one_delivery:
        table.add_column("Delivery", overflow="fold")
        table.add_column("Accepted (UTC)", no_wrap=True)
    table.add_column("Message", no_wrap=True)
    table.add_column("Recipient", overflow="fold", ratio=2)
    table.add_column("Status", no_wrap=True)
    table.add_column("Why", overflow="fold", ratio=3)
    for entry in entries:
        style = words.STATUS_STYLE.get(entry.status, "")
        table.add_row(
            *(() if of_one_delivery else (Text(entry.delivery_id), stamp(entry.accept_time))),
            Text(entry.message_id),
            Text(entry.recipient),
            Text(_status(entry), style=style),
            _why(entry),
        )
    return table


def _hold(cause: HoldCause, domain: str) -> str:
    if cause == HoldCause.HOLD_CAUSE_NO_KEY and domain:
        return f"no signing key of {domain}"
    return words.enum_words(HoldCause.Name(cause), "HOLD_CAUSE_")


def _of_a_hold(entry: LogEntry) -> Iterable[str]:
    hold = _hold(entry.hold_cause, entry.hold_domain)
    if entry.status != LogStatus.LOG_STATUS_TAKEN_INTO_ACCOUNT:
        yield f"its validity ended while it waited for something of ours: {hold}"
        return
    yield f"waits for something of ours: {hold}"
    if entry.hold_domain:
        yield f"make one: python -m services.signer.keygen {entry.hold_domain} (services/signer/README.md)"


def _status(entry: LogEntry) -> str:
    label = words.STATUS_SHORT.get(entry.status, "")
    return f"{label}, requalified" if entry.requalified else label


def _why(entry: LogEntry) -> Text:
    """What was said last and what it means; where there is more to come, when."""
    lines = []
    if entry.failure_type:
        code = words.bounce_code(entry.bounce_code)
        meaning = f"{words.failure_type(entry.failure_type)} / {words.reason(entry.failure_reason)}"
        lines.append(f"{meaning}, code {code}")
    if entry.incident_id:
        lines.append(f"held by {entry.incident_id}: emta incidents show {entry.incident_id}")
    if entry.hold_cause:
        lines += _of_a_hold(entry)
    if entry.status != LogStatus.LOG_STATUS_SENT and (said := reply_line(entry.last_reply)):
        lines.append(said)
    # A held message is looked at again and again, of which the log is told the first time only.
    if entry.HasField("next_attempt_time") and not entry.hold_cause:
        lines.append(f"next try at {entry.next_attempt_time.ToDatetime():%Y-%m-%d %H:%M:%S} UTC")
    if entry.retry_count:
        lines.append(f"failed attempts: {entry.retry_count}")
    if entry.complaints:
        lines.append(f"spam complaints: {entry.complaints}")
    if entry.unsubscribe_requested:
        lines.append("asked by mail to be unsubscribed")
    return Text("\n".join(lines))
