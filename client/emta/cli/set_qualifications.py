"""`emta qualifications set`: an operator's word on what texts mean."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from emta.bounce.v1.qualification_pb2 import BounceCode
from emta.bounce.v1.qualifications_service_pb2 import (
    QualificationCluster,
    QualificationEdit,
    QualificationRow,
)
from emta.cli import qualification_tables as tables
from emta.cli.console import Json, bad_input, client, out, print_json, run, user_name
from emta.cli.qualification_words import DISPOSITIONS, REASONS, STATUSES, TYPES, reason_of, value_of
from emta.client import Client
from emta.problems import Problem
from emta.qualifications import latest


def set_(
    md5s: Annotated[
        list[str], typer.Argument(metavar="MD5", help="Texts, as `list` shows them.", show_default=False)
    ],
    type_: Annotated[str, typer.Option("--type", help=f"One of {', '.join(TYPES)}.")] = "",
    reason: Annotated[str, typer.Option(help=f"One of {', '.join(REASONS)}, or Campaign's number.")] = "",
    code: Annotated[int, typer.Option(help="Bounce code. Empty: by the reason.", min=0, max=999)] = 0,
    disposition: Annotated[
        str, typer.Option(help=f"One of {', '.join(DISPOSITIONS)}. Empty: by the bounce code.")
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
    """Say what texts mean from now on.

    It is in force at every Bounce within seconds. Past failures are not changed by it: `emta requalify`
    corrects those. Ignore: the type is Ignored and no address is quarantined. To-qualify takes back what
    was said. A 4xx is never hard, whatever is said.

    \b
    emta qualifications set MD5 --type hard --reason user-unknown --why "asked their postmaster"
    emta qualifications set MD5 --cluster --type soft --reason mailbox-full
    emta qualifications set MD5 --status ignore
    emta qualifications set MD5 --reset
    """
    edit = _edit(type_, reason, code, disposition)
    said = edit != QualificationEdit()
    if not (status or said or reset):
        bad_input("--type and --reason, --status or --reset: say what is to be set")
    if status != "ignore":
        _refuse_half_a_meaning(edit)
    fields: dict[str, Any] = {
        "status": value_of("--status", status or ("keep" if said else ""), STATUSES),
        "edit": edit if said else None,
        "reset_occurrences": reset,
        "actor": who or user_name(),
        "comment": why,
    }
    run(_set(md5s, cluster, fields, json))


def _edit(type_: str, reason: str, code: int, disposition: str) -> QualificationEdit:
    if code and code not in BounceCode.values():
        bad_input(f"--code {code}: no bounce code; docs/reference/qualifications.md has them")
    return QualificationEdit(
        type=value_of("--type", type_, TYPES),
        reason=reason_of(reason),
        bounce_code=code,  # type: ignore[arg-type]
        disposition=value_of("--disposition", disposition, DISPOSITIONS),
    )


def _refuse_half_a_meaning(edit: QualificationEdit) -> None:
    if edit != QualificationEdit() and not edit.type:
        bad_input("--type: is needed to say what a text means")
    if edit.type and not edit.reason:
        bad_input("--reason: is needed to say what a text means")


async def _set(md5s: list[str], cluster: bool, fields: dict[str, Any], json: bool) -> None:
    before: list[QualificationRow] = []
    async with client() as connection:
        if cluster:
            md5s = [md5 for each in await clusters_of(connection, md5s) for md5 in each.normalized_md5s]
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


async def clusters_of(connection: Client, md5s: list[str]) -> list[QualificationCluster]:
    """Give the clusters of texts to qualify that these are in; one that is in none is bad input."""
    clusters = (await connection.qualifications.clusters()).clusters
    chosen = [each for each in clusters if not set(md5s).isdisjoint(each.normalized_md5s)]
    if alone := set(md5s).difference(md5 for each in chosen for md5 in each.normalized_md5s):
        bad_input(f"MD5 {min(alone)}: is in no cluster of texts to qualify")
    return chosen
