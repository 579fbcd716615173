"""What qualification rows look like on a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.table import Table
from rich.text import Text

from emta.bounce.v1.qualification_pb2 import Disposition, Qualification
from emta.bounce.v1.qualifications_service_pb2 import (
    QualificationCluster,
    QualificationRow,
    QualificationStatus,
    SiteCount,
)
from emta.cli import words
from emta.cli.console import NARROW
from emta.cli.tables import stamp

_SITES = 3

_STATUS_WORDS = {
    QualificationStatus.QUALIFICATION_STATUS_TO_QUALIFY: "To qualify",
    QualificationStatus.QUALIFICATION_STATUS_KEEP: "Keep",
    QualificationStatus.QUALIFICATION_STATUS_IGNORE: "Ignore",
}


def cluster_table(clusters: Iterable[QualificationCluster], width: int) -> Table:
    """Texts to qualify, nearly equal ones together, for a terminal of so many columns."""
    table = _table("To qualify, the most costly first", "Texts", width)
    for each in clusters:
        said = _text_and_key(each.template, each.normalized_md5s[0])
        _add(table, each, f"{len(each.normalized_md5s):,}", said, width)
    return table


def row_table(rows: Iterable[QualificationRow], width: int) -> Table:
    """Texts by themselves, for a terminal of so many columns."""
    table = _table("Texts, the most costly first", "Status, meaning", width)
    for row in rows:
        kind, reason = words.failure_type(row.in_force.type), words.reason(row.in_force.reason)
        means = f"{_STATUS_WORDS[row.status]}:\n{kind}\n{reason}"
        said = _text_and_key(row.normalized_text, row.normalized_md5)
        _add(table, row, means, said, width)
    return table


def _table(title: str, meaning: str, width: int) -> Table:
    narrow = width < NARROW
    table = Table(title=title, title_justify="left", show_lines=True)
    for name in ("Cost", "Seen") if narrow else ("Cost", "Seen", "Final"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column(meaning)
    said = "What was said, MD5, sites" if narrow else "What was said, MD5"
    table.add_column(said, overflow="fold", ratio=1, min_width=32)
    if not narrow:
        table.add_column("Sites", overflow="fold")
    return table


def _add(
    table: Table, found: QualificationCluster | QualificationRow, means: str, said: Text, width: int
) -> None:
    cost, seen, sites = f"{found.cost:,.1f}", f"{found.occurrences:,}", _sites(found.sites)
    if width < NARROW:
        table.add_row(cost, seen, means, Text("\n").join([said, sites]))
    else:
        table.add_row(cost, seen, f"{found.final_occurrences:,}", means, said, sites)


def _text_and_key(text: str, md5: str) -> Text:
    return Text(text + "\n").append(md5, style="dim")


def _sites(sites: Iterable[SiteCount]) -> Text:
    return Text("\n".join(each.site for each in list(sites)[:_SITES]))


def _meaning(meaning: Qualification) -> str:
    return f"{words.failure_type(meaning.type)} / {words.reason(meaning.reason)}"


def details(row: QualificationRow) -> Table:
    """All that is known of one text."""
    table = Table(show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    disposition = words.enum_words(Disposition.Name(row.in_force.disposition), "DISPOSITION_")
    sites = "\n".join(f"{each.site} {each.occurrences:,}" for each in row.sites)
    lines = [
        ("Text", row.normalized_text),
        ("MD5", row.normalized_md5),
        ("First text", row.first_text or "(not kept any longer)"),
        ("Seen", f"{words.count(row.occurrences, 'time')}, {row.final_occurrences:,} final"),
        ("First, last (UTC)", f"{stamp(row.create_time)}, {stamp(row.last_time)}"),
        ("Cost", f"{row.cost:,.1f} messages"),
        ("Sites", sites),
        ("Status", _STATUS_WORDS[row.status]),
        ("Means", f"{_meaning(row.in_force)}, {disposition}"),
        ("Bounce code", words.bounce_code(row.in_force.bounce_code)),
        ("By the rules", f"{_meaning(row.by_rules)}: {row.by_rules.rule_id}"),
    ]
    if row.HasField("modify_time"):
        lines.append(("Set (UTC)", f"{stamp(row.modify_time)} by {row.actor}"))
        lines.append(("Comment", row.comment))
    for name, value in lines:
        table.add_row(name, Text(value))
    return table


def said_before(row: QualificationRow) -> Text:
    """What another has said of a row that is set now."""
    status, meaning = _STATUS_WORDS[row.status], _meaning(row.in_force)
    when = stamp(row.modify_time)
    return Text(f"{row.normalized_md5} was {status}, {meaning}: set by {row.actor}, {when} UTC")
