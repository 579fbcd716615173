"""`emta qualifications`: the texts that receivers answered with, and what they mean."""

from __future__ import annotations

from json import dumps
from typing import Annotated, Any

import typer

from emta.bounce.v1.qualifications_service_pb2 import QualificationRow, QualificationStatus
from emta.cli import qualification_tables as tables
from emta.cli.console import Json, bad_input, client, out, print_json, run
from emta.cli.override import override
from emta.cli.qualification_words import STATUSES
from emta.cli.set_qualifications import clusters_of, set_

app = typer.Typer(
    help="What receivers answered with, and what it means.\n\n"
    "How often, and what it cost. A text that no rule knows is To qualify: it counts for nothing until "
    "somebody says what it means.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Md5 = Annotated[str, typer.Argument(help="MD5 of the text, as `list` shows it.", show_default=False)]

_FULL_CODE = 200  # less is a class: of a text that came by mail no more may be known


@app.command("list")
def list_(
    status: Annotated[str, typer.Option(help=f"One of {', '.join(STATUSES)}.")] = "to-qualify",
    text: Annotated[str, typer.Option(help="Only texts that contain this.")] = "",
    site: Annotated[str, typer.Option(help="Only what a site like this said.")] = "",
    min_seen: Annotated[int, typer.Option("--min", help="Only what was seen so often.", min=0)] = 0,
    rows: Annotated[bool, typer.Option("--rows", help="Every text by itself.")] = False,
    replies: Annotated[
        bool, typer.Option("--replies", help="All as replies, in JSON lines for `services.bounce try`.")
    ] = False,
    limit: Annotated[int, typer.Option(help="Show so many; --json: no limit.", min=1)] = 30,
    json: Json = False,
) -> None:
    """List texts, the most costly first.

    Of those to qualify, nearly equal ones together. The cost is in messages: final refusals, and a twenty-
    fifth of each temporary one, for so often a message is tried before it is lost.

    \b
    emta qualifications list
    emta qualifications list --status keep --site google.com --text "mailbox"
    emta qualifications list --status all --replies > replies.jsonl
    """
    if status not in STATUSES:
        bad_input(f"--status {status}: one of {', '.join(STATUSES)}")
    wanted = {"text": text, "site": site, "min_occurrences": min_seen}
    if replies:
        run(_replies(STATUSES[status], wanted))
    elif rows or status != "to-qualify" or any(wanted.values()):
        run(_rows(STATUSES[status], wanted, limit, json))
    else:
        run(_clusters(limit, json))


async def _clusters(limit: int, json: bool) -> None:
    async with client() as connection:
        found = await connection.qualifications.clusters()
    if json:
        for cluster in found.clusters:
            print_json("cluster", cluster)
        return
    if not found.clusters:
        out.print("Every text is qualified.")
        return
    out.print(tables.cluster_table(found.clusters[:limit], out.width))
    _and_more(len(found.clusters) - limit, "clusters")
    _and_more(found.rows_left, "texts of lesser cost, not looked at")
    out.print("To say what one means: emta qualifications set MD5 --cluster --type ... --reason ...")


async def _rows(status: QualificationStatus, wanted: dict[str, Any], limit: int, json: bool) -> None:
    shown: list[QualificationRow] = []
    async with client() as connection:
        async for row in connection.qualifications.rows(status, **wanted):
            if json:
                print_json("row", row)
            elif len(shown) > limit:
                break
            else:
                shown.append(row)
    if json:
        return
    if not shown:
        out.print("No text is like that.")
        return
    out.print(tables.row_table(shown[:limit], out.width))
    if len(shown) > limit:
        out.print(f"The first {limit} only: name a part of what you look for, or use --json.")


async def _replies(status: QualificationStatus, wanted: dict[str, Any]) -> None:
    async with client() as connection:
        async for row in connection.qualifications.rows(status, **wanted):
            reply = {
                "id": row.normalized_md5,
                "code": row.code if row.code >= _FULL_CODE else None,
                "enhanced": row.enhanced_code or None,
                "text": row.first_text or row.normalized_text,
                "mx": row.sites[0].site if row.sites else None,
            }
            print(dumps(reply))


def _and_more(count: int, what: str) -> None:
    if count > 0:
        out.print(f"... and {count:,} {what}")


@app.command("show")
def show(
    md5: Md5,
    rule: Annotated[
        bool, typer.Option("--rule", help="As a reply rule: TOML, with the text as its sample.")
    ] = False,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="With --rule: for all texts like those of its cluster.")
    ] = False,
    json: Json = False,
) -> None:
    """Show all that is known of a text, or make a rule of it.

    A row is for one text; a rule may be for many, at some sites only, and sets the pace of sending, too.

    \b
    emta qualifications show MD5
    emta qualifications show MD5 --rule --cluster > ours.toml
    """
    if cluster and not rule:
        bad_input("--cluster: goes with --rule")
    run(_show(md5, rule, cluster, json))


async def _show(md5: str, rule: bool, cluster: bool, json: bool) -> None:
    template = ""
    async with client() as connection:
        if cluster:
            (found,) = await clusters_of(connection, [md5])
            md5, template = found.normalized_md5s[0], found.template
        row = await connection.qualifications.get(md5)
    if rule:
        text = override(row, template)
        if text is None:
            bad_input("MD5: this text has no word that a rule could go by")
        print(text, end="")
    elif json:
        print_json("row", row)
    else:
        out.print(tables.details(row))


app.command("set")(set_)
