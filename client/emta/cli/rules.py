"""`emta rules`: the rules that replies are qualified by, and the operator's overrides."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from emta.bounce.v1.rules_service_pb2 import GetRulesResponse
from emta.cli.console import Json, client, out, print_json, run


def rules(
    reload: Annotated[bool, typer.Option("--reload", help="Read the overrides again first.")] = False,
    json: Json = False,
) -> None:
    """Show the rules that replies are qualified by.

    Their version, and the operator's overrides.

    \b
    emta rules
    emta rules --reload
    """
    run(_rules(reload, json))


async def _rules(reload: bool, json: bool) -> None:
    async with client() as connection:
        if reload:
            await connection.reload_rules()
        found = await connection.rules()
    if json:
        print_json("rules", found)
    else:
        out.print(_table(found))


def _table(found: GetRulesResponse) -> Table:
    table = Table(show_header=False)
    table.add_row("Version", found.rules.version)
    table.add_row("Rules", f"{found.rules.rules:,}")
    table.add_row("Overrides", Text("\n".join(found.rules.override_ids) or "none"))
    if found.refused:
        table.add_row("Refused", Text(found.refused, style="red"))
    return table
