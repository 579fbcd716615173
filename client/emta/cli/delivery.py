"""`emta watch`, `emta log`, `emta kpis`: what became of a delivery."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import Annotated

import typer
from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.text import Text

from emta.cli import log_tables, tables, words
from emta.cli.console import Json, bad_input, client, out, print_json, run
from emta.cli.progress import Lines
from emta.client import Client
from emta.feedback.v1.delivery_pb2 import DeliveryKpis
from emta.feedback.v1.log_pb2 import LogEntry, LogEvent, LogStatus
from emta.problems import Problem

Delivery = Annotated[str, typer.Argument(help="Identifier of the delivery.", show_default=False)]

_REFRESH_SECONDS = 0.5  # of what is live
_LOOK_SECONDS = 2.0  # for a line now and then
_RECENT_EVENTS = 8
_HINT = "Ctrl-C detaches; the delivery goes on."
# A log of a million rows is for `--json` and a file, not for a terminal's table.
_TABLE_ROWS = 200


def watch(
    delivery: Delivery,
    json: Json = False,
    cursor: Annotated[
        str, typer.Option(help="With --json: resume after the event that had this cursor.")
    ] = "",
) -> None:
    """Follow a delivery live until nothing is in flight.

    \b
    emta watch spring-sale
    emta watch spring-sale --json | jq .event.outcome.message_id
    """
    run(_watch(delivery, json, cursor))


async def _watch(delivery: str, json: bool, cursor: str) -> None:
    async with client() as connection:
        if json:
            async for event in connection.watch(delivery, cursor=cursor, stop_when_done=True):
                print_json("event", event)
            return
        await connection.kpis(delivery)  # an unknown delivery is an error, not an empty table
        try:
            await follow(connection, delivery)
        except asyncio.CancelledError:
            detached(delivery)


async def follow(connection: Client, delivery: str, hint: str = _HINT) -> None:
    """Show a delivery until it is done, live on a terminal, then its report."""
    if out.is_terminal:
        await _follow_live(connection, delivery, hint)
    else:
        await follow_in_lines(connection, delivery)
    out.print(tables.kpi_report(await connection.kpis(delivery)))


async def _follow_live(connection: Client, delivery: str, hint: str) -> None:
    recent: deque[LogEvent] = deque(maxlen=_RECENT_EVENTS)
    with Live(console=out, auto_refresh=False, transient=True) as live:
        async for kpis in _looks(connection, delivery, recent, _REFRESH_SECONDS):
            lines = [log_tables.event_line(event) for event in recent]
            foot = Text(hint, style="dim")
            live.update(Group(tables.status_table(kpis), *lines, foot), refresh=True)


async def follow_in_lines(connection: Client, delivery: str) -> None:
    """Wait until a delivery is done; on standard error, say now and then how far it is."""
    lines = Lines()
    async for kpis in _looks(connection, delivery, deque(maxlen=0), _LOOK_SECONDS):
        lines.say(tables.status_line(kpis))


async def _looks(
    connection: Client, delivery: str, recent: deque[LogEvent], seconds: float
) -> AsyncIterator[DeliveryKpis]:
    """Give the figures every so often until a delivery is done; `recent` gets its events."""

    async def gather() -> None:
        async for event in connection.watch(delivery, stop_when_done=True):
            recent.append(event)

    gathering = asyncio.create_task(gather())
    try:
        while not gathering.done():
            try:
                yield await connection.kpis(delivery)
            except Problem as problem:
                # The stream of events waits for a service that restarts, and says when it is enough.
                if not problem.is_transient:
                    raise
            await asyncio.wait({gathering}, timeout=seconds)
        await gathering
    finally:
        gathering.cancel()


def detached(delivery: str) -> None:
    """Say that the delivery goes on, and how to come back."""
    out.print(f"Detached. The delivery goes on; come back with: [bold]emta watch {escape(delivery)}[/]")


def log(
    delivery: Delivery,
    status: Annotated[
        list[str],
        typer.Option(
            metavar="STATUS", help="Only rows in this status: taken, sent, failed, cancelled. Repeatable."
        ),
    ] = [],  # noqa: B006 -- Typer reads the default, nobody changes it
    message: Annotated[list[str], typer.Option(metavar="ID", help="Only this message. Repeatable.")] = [],  # noqa: B006
    json: Json = False,
) -> None:
    """List the log of a delivery: where every message stands.

    \b
    emta log spring-sale --status failed
    emta log spring-sale --json > log.jsonl
    """
    statuses = []
    for name in status:
        if name.lower() not in words.STATUS_BY_NAME:
            bad_input(f"--status {name}: one of {', '.join(words.STATUS_BY_NAME)}")
        statuses.append(words.STATUS_BY_NAME[name.lower()])
    run(_log(delivery, statuses, message, json))


async def _log(delivery: str, statuses: list[LogStatus], messages: list[str], json: bool) -> None:
    async with client() as connection:
        rows: list[LogEntry] = []
        async for entry in connection.logs(delivery, statuses=statuses, message_ids=messages):
            if json:
                print_json("entry", entry)
            elif len(rows) == _TABLE_ROWS:
                break
            else:
                rows.append(entry)
        if json:
            return
        out.print(log_tables.log_table(rows) if rows else "No message is like that.")
        if len(rows) == _TABLE_ROWS:
            out.print(f"The first {_TABLE_ROWS} rows; --json gives them all.")


def kpis(delivery: Delivery, json: Json = False) -> None:
    """Show the figures of a delivery, exact at this moment.

    \b
    emta kpis spring-sale
    emta kpis spring-sale --json | jq .kpis.success_percent
    """
    run(_kpis(delivery, json))


async def _kpis(delivery: str, json: bool) -> None:
    async with client() as connection:
        figures = await connection.kpis(delivery)
    if json:
        print_json("kpis", figures)
    else:
        out.print(tables.kpi_report(figures))
