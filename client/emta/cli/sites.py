"""`emta sites`: the limits of receiving sites, and how far they are used."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from emta.cli.console import NARROW, Json, client, out, print_json, run
from emta.cli.tables import moment
from emta.relay.v1.site_pb2 import MxRule, Site

# For a terminal; `--json` has no limit.
_TABLE_ROWS = 200


def sites(
    name: Annotated[
        str,
        typer.Argument(help="Only sites (--rules: rules) whose name contains this.", show_default=False),
    ] = "",
    rules: Annotated[
        bool, typer.Option("--rules", help="The limits as they are set, with their sources.")
    ] = False,
    json: Json = False,
) -> None:
    """Show receiving sites: what is allowed, what is in use.

    Those of the last hour, all Relays together.

    \b
    emta sites
    emta sites google
    emta sites --rules
    """
    run(_rules(name, json) if rules else _sites(name, json))


async def _sites(name: str, json: bool) -> None:
    shown: list[Site] = []
    async with client() as connection:
        async for site in connection.sites(name_contains=name.lower()):
            if json:
                print_json("site", site)
            elif len(shown) > _TABLE_ROWS:
                break
            else:
                shown.append(site)
    if json:
        return
    if not shown:
        where = f"a site like {escape(name)}" if name else "any site"
        out.print(f"No mail went to {where} within the last hour.")
        return
    out.print(site_table(shown[:_TABLE_ROWS], out.width))
    if len(shown) > _TABLE_ROWS:
        out.print(f"The first {_TABLE_ROWS} only: name a part of what you look for, or use --json.")


async def _rules(name: str, json: bool) -> None:
    async with client() as connection:
        found = [rule for rule in await connection.mx_rules() if name.lower() in rule.name]
    if json:
        for rule in found:
            print_json("rule", rule)
    elif found:
        out.print(rule_table(found))
    else:
        out.print(f"No rule is named like {escape(name)}.")


def rate(rule: MxRule) -> str:
    """The rate in the unit that makes it a number to say: "100/s", "30/min", "10/h"."""
    if not rule.HasField("messages_per_second"):
        return "-"
    for unit, seconds in (("s", 1), ("min", 60), ("h", 3_600)):
        if rule.messages_per_second * seconds >= 0.9995:
            return f"{rule.messages_per_second * seconds:.4g}/{unit}"
    return f"{rule.messages_per_second * 86_400:.4g}/day"


def site_table(found: list[Site], width: int) -> Table:
    """What is allowed and in use, for a terminal of so many columns."""
    narrow = width < NARROW
    table = Table(title="Sites of the last hour, all Relays together", title_justify="left")
    table.add_column("Site", overflow="fold")
    table.add_column("Rule", overflow="fold")
    columns = ("Connections", "Rate", "Waits until\n(local time)")
    wide = () if narrow else ("May begin\nnow", "Messages per\nconnection", "Relays")
    for column in columns + wide:
        table.add_column(column, justify="right")
    for site in found:
        in_use, limit = site.connections, site.rule.connections
        table.add_row(
            Text(site.name),
            Text(site.rule.name),
            Text(f"{in_use}/{limit}", style="yellow" if in_use >= limit else ""),
            rate(site.rule),
            moment(site.ready_time) if site.HasField("ready_time") else "",
            *(() if narrow else _more(site)),
        )
    return table


def _more(site: Site) -> tuple[str, str, str]:
    """What a narrow terminal has no room for."""
    tokens = str(site.tokens) if site.HasField("tokens") else "-"
    return tokens, str(site.rule.messages_per_connection), str(site.relays)


def rule_table(found: list[MxRule]) -> Table:
    """The limits as they are set. Hosts and sources are too long for columns of their own."""
    table = Table(title="MX rules", title_justify="left", show_lines=True)
    table.add_column("Rule, MX hosts, source", overflow="fold", ratio=1)
    for column in ("Connections", "Messages per\nconnection", "Rate"):
        table.add_column(column, justify="right", no_wrap=True)
    for rule in found:
        named = Text(rule.name, style="bold")
        hosts = Text(", ".join(rule.mx) or "(all others)")
        table.add_row(
            Text("\n").join([named, hosts, Text(rule.source, style="dim")]),
            str(rule.connections),
            str(rule.messages_per_connection),
            rate(rule),
        )
    return table
