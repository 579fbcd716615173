"""The command `emta`."""

from __future__ import annotations

import sys

import typer

from emta.cli import (
    delivery,
    find,
    inbound,
    incidents,
    qualifications,
    qualify,
    requalify,
    rules,
    send,
    sites,
)
from emta.cli.console import stop
from emta.problems import Problem

app = typer.Typer(
    name="emta",
    help="Send mail through emta and see what becomes of it.\n\n"
    "The services are looked for on this machine (`make run` starts them); "
    "EMTA_CLIENT_RELAY, EMTA_CLIENT_FEEDBACK and EMTA_CLIENT_BOUNCE (host:port) say otherwise.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command("send")(send.send)
app.command("watch")(delivery.watch)
app.command("log")(delivery.log)
app.command("kpis")(delivery.kpis)
app.command("find")(find.find)
app.command("inbound")(inbound.inbound)
app.add_typer(incidents.app, name="incidents")
app.command("qualify")(qualify.qualify)
app.command("requalify")(requalify.requalify)
app.command("requalifications")(requalify.requalifications)
app.add_typer(qualifications.app, name="qualifications")
app.command("rules")(rules.rules)
app.command("sites")(sites.sites)


def main() -> None:
    """Run the command; a Problem becomes one line on standard error and an exit code."""
    try:
        app()
    except Problem as problem:
        stop(problem)
    except KeyboardInterrupt:
        # As a shell says of a command that Ctrl-C ended.
        raise SystemExit(130) from None
    except BrokenPipeError:
        # The reader (`| head`) has seen enough.
        sys.stderr.close()
        raise SystemExit(0) from None
