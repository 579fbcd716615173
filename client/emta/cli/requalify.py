"""`emta requalify`, `emta requalifications`: failures that a provider's error made wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from emta.cli import words
from emta.cli.console import Json, bad_input, client, out, print_json, run, user_name
from emta.cli.progress import Lines
from emta.cli.requalify_preview import Found, preview, why_nothing
from emta.cli.tables import stamp
from emta.client import Client
from emta.feedback.v1.requalify_service_pb2 import (
    OutcomeFilter,
    Requalification,
    RequalifyOutcomesRequest,
)


def requalify(
    from_: Annotated[
        str, typer.Option("--from", help="Failed from then on: 2020-12-15T14:00, UTC.", show_default=False)
    ],
    to: Annotated[str, typer.Option(help="Failed before this time. Empty: now.")] = "",
    domain: Annotated[
        list[str], typer.Option(metavar="DOMAIN", help="Domain of the recipients. Repeatable.")
    ] = [],  # noqa: B006
    mx: Annotated[
        list[str],
        typer.Option(
            metavar="HOST",
            help='Receiving server: "*.google.com" is a provider, all its domains. Repeatable.',
        ),
    ] = [],  # noqa: B006
    text: Annotated[str, typer.Option(help='Part of what was said; "*" stands for anything.')] = "",
    code: Annotated[
        list[int],
        typer.Option(metavar="CODE", help="Bounce code, for example 10. Repeatable.", min=1, max=999),
    ] = [],  # noqa: B006
    rule: Annotated[
        list[str], typer.Option(metavar="RULE", help="Rule that qualified the failure. Repeatable.")
    ] = [],  # noqa: B006
    delivery: Annotated[str, typer.Option(help="Only this delivery.")] = "",
    apply: Annotated[bool, typer.Option("--apply", help="Correct them. Without: look only.")] = False,
    why: Annotated[str, typer.Option(help="Why, for the record. Needed with --apply.")] = "",
    who: Annotated[str, typer.Option(help="Who, for the record. Empty: you.")] = "",
    resubmit: Annotated[
        bool, typer.Option("--resubmit", help="Allow Campaign to submit again what is still valid.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="JSON lines, for machines: every match.")] = False,
) -> None:
    """Find failures by a receiver's error, and correct them.

    A correction is an event: Campaign takes the address out of quarantine, the figures follow at once.

    \b
    emta requalify --mx "*.google.com" --text "account * does not exist" --from 2020-12-14T11:55
    emta requalify --domain icloud.com --domain me.com --code 10 --from 2021-04-26T11:00 \\
        --to 2021-04-26T17:00 --apply --why "Apple lost its user records"
    """
    if apply and not why.strip():
        bad_input("--why: --apply needs a reason, for the record")
    wanted = OutcomeFilter(
        domains=domain,
        mx_hosts=mx,
        text=text,
        bounce_codes=code,  # type: ignore[arg-type]
        rule_ids=rule,
        delivery_id=delivery,
    )
    if wanted == OutcomeFilter():
        bad_input("--domain, --mx, --text, --code, --rule or --delivery: say at least one")
    wanted.from_time.FromDatetime(_time("--from", from_))
    wanted.to_time.FromDatetime(_time("--to", to) if to else datetime.now(UTC))
    request = RequalifyOutcomesRequest(
        filter=wanted,
        dry_run=True,
        actor=who or user_name(),
        comment=why,
        allow_resubmit=resubmit,
        all_matches=json,
    )
    run(_requalify(request, apply, json))


async def _requalify(request: RequalifyOutcomesRequest, apply: bool, json: bool) -> None:
    async with client() as connection:
        if json:
            request.dry_run = not apply
            async for answer in connection.requalify(request):
                print_json("answer", answer)
            return
        found = await _add_up(connection, request)
        out.print(preview(found))
        if said := why_nothing(found, request.filter, datetime.now(UTC)):
            out.print(said)
        if not apply:
            if found.matched:
                out.print('Nothing was changed. To correct them: the same with --apply --why "..."')
            return
        request.dry_run = False
        done = await _add_up(connection, request)
        out.print(f"[bold]{done.corrected:,} corrected.[/] Campaign is told by the stream of events.")


async def _add_up(connection: Client, request: RequalifyOutcomesRequest) -> Found:
    found = Found()
    word = "found" if request.dry_run else "corrected"
    console, lines = Console(stderr=True), Lines()
    with console.status("Searching ...") as status:
        async for answer in connection.requalify(request):
            found.add(answer)
            count = found.matched if request.dry_run else found.corrected
            reached = stamp(answer.reached_time)
            text = f"{reached}: {words.count(found.examined, 'failure')} looked at, {count:,} {word}"
            status.update(text)
            if not console.is_terminal:
                lines.say(text)
    return found


def requalifications(json: Json = False) -> None:
    """List what was corrected: when, by whom, and why. The latest first.

    \b
    emta requalifications
    """
    run(_requalifications(json))


async def _requalifications(json: bool) -> None:
    table = Table(title_justify="left")
    table.add_column("Began (UTC)", no_wrap=True)
    table.add_column("Who", overflow="fold")
    table.add_column("Corrected", justify="right")
    table.add_column("Why", overflow="fold")
    table.add_column("Which", overflow="fold")
    async with client() as connection:
        async for entry in connection.requalifications():
            if json:
                print_json("requalification", entry)
                continue
            count = f"{entry.corrected:,}" + ("" if entry.HasField("end_time") else " (not ended)")
            row = (entry.actor, count, entry.comment, _which(entry))
            table.add_row(stamp(entry.start_time), *(Text(cell) for cell in row))
    if not json:
        out.print(table if table.row_count else "Nothing was corrected.")


def _which(entry: Requalification) -> str:
    wanted = entry.filter
    window = f"{stamp(wanted.from_time)} - {stamp(wanted.to_time)}"
    parts = [*wanted.domains, *wanted.mx_hosts, *(f"code {code}" for code in wanted.bounce_codes)]
    parts += [*wanted.rule_ids, wanted.delivery_id, f'"{wanted.text}"' if wanted.text else ""]
    return "\n".join((window, ", ".join(part for part in parts if part)))


def _time(option: str, text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        bad_input(f"{option} {text}: a date, or a date and a time of day, as in 2020-12-15T14:00 (UTC)")
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
