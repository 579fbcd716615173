"""What the figures of a delivery look like on a terminal."""

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
from emta.feedback.v1.log_pb2 import LogStatus


def moment(time: Timestamp) -> str:
    """Local time of day of a timestamp."""
    return datetime.fromtimestamp(time.ToNanoseconds() / 1e9, UTC).astimezone().strftime("%H:%M:%S")


def stamp(time: Timestamp) -> str:
    """Date and time of day, UTC."""
    return f"{time.ToDatetime():%Y-%m-%d %H:%M}"


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
