"""`emta qualifications`: the texts that receivers answered with, and what they mean."""

from __future__ import annotations

from json import dumps
from typing import Annotated, Any

import typer

from emta.bounce.v1.qualification_pb2 import (
    BounceCode,
    Disposition,
    FailureReason,
    FailureType,
)
from emta.bounce.v1.qualifications_service_pb2 import (
    QualificationCluster,
    QualificationEdit,
    QualificationRow,
    QualificationStatus,
)
from emta.cli import qualification_tables as tables
from emta.cli import words
from emta.cli.console import bad_input, client, out, print_json, run, user_name
from emta.cli.override import override
from emta.client import Client
from emta.problems import Problem
from emta.qualifications import latest

app = typer.Typer(
    help="The texts that receivers answered with: how often, what they cost, what they mean.\n\n"
    "A text that no rule knows is To qualify: it counts for nothing until somebody says what it means.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

STATUSES = {
    "to-qualify": QualificationStatus.QUALIFICATION_STATUS_TO_QUALIFY,
    "keep": QualificationStatus.QUALIFICATION_STATUS_KEEP,
    "ignore": QualificationStatus.QUALIFICATION_STATUS_IGNORE,
    "all": QualificationStatus.QUALIFICATION_STATUS_UNSPECIFIED,
}
Md5 = Annotated[str, typer.Argument(help="MD5 of the text, as `list` shows it.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="JSON lines, for machines.")]


def _names(enum: Any, prefix: str, without: tuple[int, ...] = (0,)) -> dict[str, int]:
    """What a person types for the values of an enum: FAILURE_REASON_USER_UNKNOWN is "user-unknown"."""
    return {
        name.removeprefix(prefix).lower().replace("_", "-"): value
        for name, value in enum.items()
        if value not in without
    }


_FULL_CODE = 200  # less is a class: of a text that came by mail no more may be known

_TYPES = _names(FailureType, "FAILURE_TYPE_")
_REASONS = _names(FailureReason, "FAILURE_REASON_", (0, FailureReason.FAILURE_REASON_DENYLISTED))
_DISPOSITIONS = _names(Disposition, "DISPOSITION_")


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
    """List texts, the most costly first: what is to be qualified, nearly equal texts together.

    The cost is in messages: final refusals, and a twenty-fifth of each temporary one, for so often a
    message is tried before it is lost.

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
            (found,) = await _clusters_of(connection, [md5])
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


@app.command("set")
def set_(
    md5s: Annotated[
        list[str], typer.Argument(metavar="MD5", help="Texts, as `list` shows them.", show_default=False)
    ],
    type_: Annotated[str, typer.Option("--type", help=f"One of {', '.join(_TYPES)}.")] = "",
    reason: Annotated[str, typer.Option(help=f"One of {', '.join(_REASONS)}, or Campaign's number.")] = "",
    code: Annotated[int, typer.Option(help="Bounce code. Empty: by the reason.", min=0, max=999)] = 0,
    disposition: Annotated[
        str, typer.Option(help=f"One of {', '.join(_DISPOSITIONS)}. Empty: by the bounce code.")
    ] = "",
    status: Annotated[
        str, typer.Option(help="keep, ignore or to-qualify. Empty: keep, where a type is given.")
    ] = "",
    cluster: Annotated[
        bool, typer.Option("--cluster", help="With all texts of its cluster, as `list` shows it.")
    ] = False,
    reset: Annotated[bool, typer.Option("--reset", help="Begin the count anew.")] = False,
    why: Annotated[str, typer.Option(help="Why, for the record.")] = "",
    who: Annotated[str, typer.Option(help="Who, for the record. Empty: you.")] = "",
    json: Json = False,
) -> None:
    """Say what texts mean from now on: in force at every Bounce within seconds.

    Past failures are not changed by it: `emta requalify` corrects those. Ignore: the type is Ignored and no
    address is quarantined. To-qualify takes back what was said. A 4xx is never hard, whatever is said.

    \b
    emta qualifications set MD5 --type hard --reason user-unknown --why "asked their postmaster"
    emta qualifications set MD5 --cluster --type soft --reason mailbox-full
    emta qualifications set MD5 --status ignore
    emta qualifications set MD5 --reset
    """
    edit = QualificationEdit(
        type=_value("--type", type_, _TYPES),
        reason=_reason(reason),
        disposition=_value("--disposition", disposition, _DISPOSITIONS),
    )
    if code and code not in BounceCode.values():
        bad_input(f"--code {code}: no bounce code; docs/reference/qualifications.md has them")
    edit.bounce_code = code  # type: ignore[assignment]
    said = edit != QualificationEdit()
    if not (status or said or reset):
        bad_input("--type and --reason, --status or --reset: say what is to be set")
    if said and not type_ and status != "ignore":
        bad_input("--type: is needed to say what a text means")
    if type_ and not reason and status != "ignore":
        bad_input("--reason: is needed to say what a text means")
    fields: dict[str, Any] = {
        "status": _value("--status", status or ("keep" if said else ""), STATUSES),
        "edit": edit if said else None,
        "reset_occurrences": reset,
        "actor": who or user_name(),
        "comment": why,
    }
    run(_set(md5s, cluster, fields, json))


async def _set(md5s: list[str], cluster: bool, fields: dict[str, Any], json: bool) -> None:
    before: list[QualificationRow] = []
    async with client() as connection:
        if cluster:
            md5s = [md5 for each in await _clusters_of(connection, md5s) for md5 in each.normalized_md5s]
        else:
            before = await _there(connection, md5s)
            fields["seen_time"] = latest(before)
        rows = await connection.qualifications.set(md5s, **fields)
    if json:
        for row in rows:
            print_json("row", row)
        return
    if len(rows) == 1:
        out.print(tables.details(rows[0]))
    else:
        out.print(tables.row_table(rows, out.width))
    if len(rows) < len(md5s):
        out.print(f"{len(md5s) - len(rows):,} of {len(md5s):,} texts are gone.")
    for row in before:
        if row.actor not in ("", fields["actor"]):
            out.print(tables.said_before(row))


async def _there(connection: Client, md5s: list[str]) -> list[QualificationRow]:
    """Give those of the rows that are there."""
    rows = []
    for md5 in md5s:
        try:
            rows.append(await connection.qualifications.get(md5))
        except Problem as problem:
            if problem.reason != "QUALIFICATION_UNKNOWN":
                raise
    return rows


async def _clusters_of(connection: Client, md5s: list[str]) -> list[QualificationCluster]:
    clusters = (await connection.qualifications.clusters()).clusters
    chosen = [each for each in clusters if not set(md5s).isdisjoint(each.normalized_md5s)]
    if alone := set(md5s).difference(md5 for each in chosen for md5 in each.normalized_md5s):
        bad_input(f"MD5 {min(alone)}: is in no cluster of texts to qualify")
    return chosen


def _value(option: str, name: str, known: dict[str, Any]) -> Any:
    name = name.lower().replace(" ", "-").replace("_", "-")
    if name and name not in known:
        bad_input(f"{option} {name}: one of {', '.join(known)}")
    return known.get(name, 0)


def _reason(name: str) -> Any:
    return _value("--reason", words.REASON_BY_NUMBER.get(name, name), _REASONS)
