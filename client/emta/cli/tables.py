"""What a delivery looks like on a terminal."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from emta.bounce.v1.smtp_reply_pb2 import SmtpReply
from emta.cli import words
from emta.feedback.v1.delivery_pb2 import DeliveryKpis
from emta.feedback.v1.log_pb2 import LogEntry, LogEvent, LogStatus
from emta.feedback.v1.outcome_pb2 import HoldCause, SubscriptionWish


def moment(time: Timestamp) -> str:
    """Local time of day of a timestamp."""
    return datetime.fromtimestamp(time.ToNanoseconds() / 1e9, UTC).astimezone().strftime("%H:%M:%S")


def reply_line(reply: SmtpReply) -> str:
    """A reply in one line: "550 5.1.1 No such user"."""
    code = str(reply.code) if reply.code else ""
    text = reply.text.replace("\n", " ")
    return " ".join(part for part in (code, reply.enhanced_code, text) if part)


def _share(count: int, total: int) -> str:
    return f"{100 * count / total:.1f} %" if total else ""


def success(kpis: DeliveryKpis) -> str:
    """Campaign's Success of a delivery: a percentage from the first success on."""
    return f"{kpis.success_percent:.1f} %" if kpis.HasField("success_percent") else "-"


def success_of(sent: int, total: int) -> str:
    """The same of a part, or of a moment."""
    return _share(sent, total) if sent else "-"


def status_table(kpis: DeliveryKpis) -> Table:
    """The delivery by status: what adds up to the messages to deliver."""
    name = kpis.delivery.label or kpis.delivery_id
    table = Table(title=f"Delivery {escape(name)}", title_justify="left", min_width=64)
    table.add_column("Status")
    table.add_column("Messages", justify="right")
    table.add_column("of all", justify="right")
    rows = [
        ("Pending", "", kpis.pending),
        (words.STATUS[LogStatus.LOG_STATUS_TAKEN_INTO_ACCOUNT], "yellow", kpis.in_flight),
        ("Sent", "green", kpis.sent),
        ("Failed", "red", kpis.failed),
        ("Delivery cancelled", "", kpis.cancelled),
    ]
    for label, style, count in rows:
        table.add_row(label, f"{count:,}", _share(count, kpis.to_deliver), style=style if count else "dim")
    table.add_section()
    table.add_row("To deliver", f"{kpis.to_deliver:,}", "")
    table.add_row("[bold]Success[/]", f"[bold]{kpis.sent:,}[/]", f"[bold]{success(kpis)}[/]")
    return table


def status_line(kpis: DeliveryKpis) -> str:
    """The delivery by status in one line."""
    return (
        f"{kpis.delivery_id}: {kpis.sent:,} sent, {kpis.failed:,} failed, {kpis.in_flight:,} in flight "
        f"of {kpis.to_deliver:,}"
    )


def _failure_table(kpis: DeliveryKpis) -> Table:
    table = Table(title="Why messages failed", title_justify="left", min_width=64)
    for column in ("Type", "Reason", "Bounce code"):
        table.add_column(column)
    table.add_column("Messages", justify="right")
    table.add_column("of failed", justify="right")
    for row in kpis.failures:
        table.add_row(
            words.failure_type(row.type),
            words.reason(row.reason),
            words.bounce_code(row.bounce_code),
            f"{row.count:,}",
            _share(row.count, kpis.failed),
        )
    return table


def _domain_table(kpis: DeliveryKpis) -> Table:
    table = Table(title="By recipient domain", title_justify="left", min_width=64)
    table.add_column("Domain")
    for column in ("Accepted", "In flight", "Sent", "Failed", "Success"):
        table.add_column(column, justify="right")
    for row in kpis.domains:
        counts = [f"{count:,}" for count in (row.accepted, row.in_flight, row.sent, row.failed)]
        table.add_row(row.domain or "(others)", *counts, success_of(row.sent, row.accepted))
    return table


def _remarks(kpis: DeliveryKpis) -> Iterable[str]:
    if kpis.deferred:
        were = words.were(kpis.deferred)
        yield f"{kpis.deferred:,} of those in flight {were} refused for now and will be retried."
    if kpis.requalified:
        failures = f"{words.count(kpis.requalified, 'failure')} {words.were(kpis.requalified)}"
        yield f"{failures} requalified: a receiver's error."
    if kpis.over_announced:
        yield "More messages were accepted than announced: the number to deliver was raised."
    if kpis.possible_duplicates:
        yield (
            f"{words.count(kpis.possible_duplicates, 'attempt')} lost the connection after the final dot "
            f"and {words.were(kpis.possible_duplicates)} repeated: a receiver may have a message twice."
        )
    if kpis.presumed:
        presumed = words.count(kpis.presumed, "message")
        yield f"{presumed} Sent by presumption: no answer came to the final dot."
    if kpis.complaints:
        yield f"{words.count(kpis.complaints, 'spam complaint')} (a complaint changes no status)."


def kpi_report(kpis: DeliveryKpis) -> RenderableType:
    """All figures of a delivery."""
    parts: list[RenderableType] = [status_table(kpis)]
    if kpis.failures:
        parts.append(_failure_table(kpis))
    if kpis.domains:
        parts.append(_domain_table(kpis))
    compat = kpis.compat
    parts.append(
        Text(
            f"Campaign's report formulas: success {compat.success:,}, hard {compat.hard:,}, "
            f"soft {compat.soft:,}, other {compat.other:,}. They count by reason, whatever the type: "
            "hard is User unknown only.",
            style="dim",
        )
    )
    parts.extend(Text(remark) for remark in _remarks(kpis))
    return Group(*parts)


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
        accepted = f"{entry.accept_time.ToDatetime():%Y-%m-%d %H:%M}"
        table.add_row(
            *(() if of_one_delivery else (Text(entry.delivery_id), accepted)),
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
