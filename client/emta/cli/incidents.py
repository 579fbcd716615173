"""`emta incidents`: sites that refuse addresses for good which they accepted before."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from emta.bounce.v1.incident_service_pb2 import Incident, IncidentEnd, KnownAddresses
from emta.bounce.v1.qualification_pb2 import FailureType
from emta.cli import words
from emta.cli.console import NARROW, Json, bad_input, client, out, print_json, run, user_name
from emta.cli.tables import stamp

Name = Annotated[str, typer.Argument(help="The incident, for example inc-4f2a91c0.", show_default=False)]

_VERDICTS = {"real": IncidentEnd.INCIDENT_END_REAL, "outage": IncidentEnd.INCIDENT_END_OUTAGE}
_ENDS = {
    IncidentEnd.INCIDENT_END_RECOVERED: "accepted again",
    IncidentEnd.INCIDENT_END_TIME: "nothing said that it went on",
    IncidentEnd.INCIDENT_END_BELIEVED: "lasted as long as one may: believed",
    IncidentEnd.INCIDENT_END_REAL: "an operator: real",
    IncidentEnd.INCIDENT_END_OUTAGE: "an operator: an outage, over",
}

_STAMP_WIDTH = len("2026-11-15 00:48")

app = typer.Typer(
    help="Sites that refuse addresses that they accepted before.\n\n"
    "What they refuse for good meanwhile is held, and not Failed.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command("list")
def list_(
    only_open: Annotated[bool, typer.Option("--open", help="Only open ones.")] = False,
    json: Json = False,
) -> None:
    """List incidents, the latest first.

    \b
    emta incidents list --open
    """
    run(_list(only_open, json))


@app.command()
def show(name: Name, json: Json = False) -> None:
    """Show an incident: what was said, and what to do.

    How it compares with what is usual at the site; what to do about what failed before it.

    \b
    emta incidents show inc-4f2a91c0
    """
    run(_show(name, json))


@app.command()
def close(
    name: Name,
    verdict: Annotated[
        str,
        typer.Option(
            help='"real": the accounts are closed, believe it. "outage": it was one, and is over.',
            show_default=False,
        ),
    ],
    why: Annotated[str, typer.Option(help="Why, for the record.", show_default=False)],
    who: Annotated[str, typer.Option(help="Who, for the record. Empty: you.")] = "",
    json: Json = False,
) -> None:
    """End an incident by your verdict.

    \b
    emta incidents close inc-4f2a91c0 --verdict real --why "they shut down, see their letter"
    """
    if verdict not in _VERDICTS:
        bad_input(f"--verdict {verdict}: one of {', '.join(_VERDICTS)}")
    if not why.strip():
        bad_input("--why: a verdict needs a reason, for the record")
    run(_close(name, _VERDICTS[verdict], why, who or user_name(), json))


async def _list(only_open: bool, json: bool) -> None:
    found: list[Incident] = []
    async with client() as connection:
        async for incident in connection.incidents(only_open=only_open):
            if json:
                print_json("incident", incident)
            else:
                found.append(incident)
    if not json:
        out.print(incident_table(found, out.width) if found else "No incidents.")


def incident_table(found: list[Incident], width: int) -> Table:
    """Incidents, for a terminal of so many columns."""
    narrow = width < NARROW
    table = Table(title="Incidents, the latest first", title_justify="left", show_lines=narrow)
    for name in ("Incident, site, class",) if narrow else ("Incident", "Site", "Class"):
        table.add_column(name, overflow="fold", ratio=1 if narrow else None, min_width=12)
    table.add_column("Began (UTC)", no_wrap=True)
    table.add_column("Held", justify="right", no_wrap=True)
    table.add_column("State", width=_STAMP_WIDTH if narrow else None)
    for incident in found:
        which = [Text(incident.incident_id), Text(incident.site), Text(_class(incident))]
        table.add_row(
            *([Text("\n").join(which)] if narrow else which),
            stamp(incident.begin_time),
            f"{incident.held:,}",
            _state(incident),
        )
    return table


async def _show(name: str, json: bool) -> None:
    async with client() as connection:
        incident = await connection.incident(name)
    if json:
        print_json("incident", incident)
    else:
        out.print(_report(incident))
        if incident.opening.hard or incident.unknown_hard:
            # A line to copy: never folded.
            print(f"What failed before it was opened:\n{requalify_command(incident)}")


async def _close(name: str, verdict: IncidentEnd, why: str, who: str, json: bool) -> None:
    async with client() as connection:
        incident = await connection.close_incident(name, verdict, actor=who, comment=why)
    if json:
        print_json("incident", incident)
        return
    held = f"{words.count(incident.held, 'refusal')} {words.were(incident.held)} held"
    out.print(f"{incident.incident_id} is closed: {_ENDS[incident.end]}. {held}.")


def requalify_command(incident: Incident) -> str:
    """Give the command that finds what failed by the incident before it was opened."""
    parts = ["emta", "requalify"]
    for host in _mx_patterns(sample.mx_host for sample in incident.samples):
        parts += ["--mx", host]
    for code in sorted({int(sample.bounce_code) for sample in incident.samples}):
        parts += ["--code", str(code)]
    # Whole minutes around it.
    opened = incident.open_time.ToDatetime(tzinfo=UTC) + timedelta(minutes=1)
    parts += ["--from", _iso(incident.begin_time.ToDatetime(tzinfo=UTC)), "--to", _iso(opened)]
    return shlex.join(parts)


def _mx_patterns(hosts: Iterator[str]) -> list[str]:
    """Name servers by what they have in common: mx1.a.example and mx2.a.example are *.a.example."""
    named = {host for host in hosts if host}
    parents = Counter(host.partition(".")[2] for host in named)
    return sorted({f"*.{p}" if parents[p := host.partition(".")[2]] > 1 else host for host in named})


def _report(incident: Incident) -> RenderableType:
    table = Table(show_header=False)
    table.add_row("Incident", f"[bold]{incident.incident_id}[/]")
    table.add_row("Site", Text(incident.site))
    table.add_row("Class", _class(incident))
    table.add_row("State", _state(incident))
    if incident.actor:
        table.add_row("Closed by", Text(f"{incident.actor}: {incident.comment}"))
    table.add_row("Began (UTC)", stamp(incident.begin_time))
    table.add_row("Opened (UTC)", stamp(incident.open_time))
    if not incident.HasField("close_time"):
        table.add_row("Ends by itself (UTC)", f"{stamp(incident.latest_end_time)} at the latest")
    table.add_row("Known addresses, usually", _share(incident.usual))
    table.add_row("at the opening", _share(incident.opening))
    table.add_row("lately", _share(incident.latest))
    table.add_row("Unknown ones refused", f"{incident.unknown_hard:,} until the opening")
    table.add_row("Held", f"{incident.held:,} refusals, retries included")
    return Group(table, _samples(incident))


def _samples(incident: Incident) -> Table:
    table = Table(title="What was said", title_justify="left")
    table.add_column("Text", overflow="fold")
    table.add_column("By", overflow="fold")
    table.add_column("Otherwise", overflow="fold")
    for sample in incident.samples:
        meaning = f"Hard / {words.reason(sample.reason)}, code {words.bounce_code(sample.bounce_code)}"
        table.add_row(Text(sample.normalized_text), Text(sample.mx_host), meaning)
    return table


def _class(incident: Incident) -> str:
    hard = words.failure_type(FailureType.FAILURE_TYPE_HARD)
    return f"{hard} / {', '.join(words.reason(reason) for reason in incident.reasons)}"


def _state(incident: Incident) -> Text:
    if incident.HasField("close_time"):
        return Text(f"closed {stamp(incident.close_time)}: {_ENDS.get(incident.end, '')}")
    return Text(f"open, holds until {stamp(incident.hold_until_time)}", style="yellow")


def _share(known: KnownAddresses) -> str:
    total = known.accepted + known.hard
    if not total:
        return "nothing"
    return f"{known.hard:,} of {total:,} refused for good ({100 * known.hard / total:.1f} %)"


def _iso(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M}"
