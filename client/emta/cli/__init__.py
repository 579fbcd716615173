"""The command `emta`."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer
from typer.exceptions import TyperException

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
from emta.cli.console import EXIT_BAD_INPUT, EXIT_FAILED, bad_input, bad_usage, stop
from emta.problems import Problem, in_words

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


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"emta {version('emta-client')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool,
        typer.Option(
            "--version", help="Say which version this is.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    pass


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
    """Run the command; what goes wrong becomes one line on standard error and an exit code."""
    try:
        raise SystemExit(app(prog_name="emta", standalone_mode=False))
    except Problem as problem:
        stop(problem)
    except TyperException as error:
        bad_usage(error)
    except OSError as error:
        # A file that is named is the caller's; without a name, it is what the command prints to.
        bad_input(in_words(error), EXIT_FAILED if error.filename is None else EXIT_BAD_INPUT)
    except KeyboardInterrupt:
        # As a shell says of a command that Ctrl-C ended.
        raise SystemExit(130) from None
