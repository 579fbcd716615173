"""`emta qualify`: what a receiver's reply means."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from emta.bounce.v1.qualification_pb2 import Cause, Disposition, Qualification, Scope
from emta.bounce.v1.smtp_reply_pb2 import SmtpPhase, SmtpReply
from emta.cli import words
from emta.cli.console import Json, bad_input, client, out, print_json, run, stop
from emta.problems import Problem
from emta.reply_codes import without_codes

_PHASES = {
    name.removeprefix("SMTP_PHASE_").lower(): name
    for name, value in SmtpPhase.items()
    if value != SmtpPhase.SMTP_PHASE_UNSPECIFIED
}
_FIRST_REFUSAL = 400  # RFC 5321 section 4.2.1


def qualify(
    reply: Annotated[str, typer.Argument(help="The reply as the server sent it.", show_default=False)],
    phase: Annotated[
        str, typer.Option(help=f"Where it came: {', '.join(_PHASES)}. Empty: not known.")
    ] = "",
    mx: Annotated[str, typer.Option(help="Host name of the server that sent it.")] = "",
    json: Json = False,
) -> None:
    """Say what a receiver's reply means, in Campaign's terms. The question counts nowhere.

    \b
    emta qualify "550 5.1.1 User unknown"
    emta qualify "452 4.2.2 Mailbox full" --phase rcpt
    """
    if phase and phase not in _PHASES:
        bad_input(f"--phase {phase}: one of {', '.join(_PHASES)}")
    text, code, enhanced = without_codes(reply.strip())
    if not code:
        bad_input('REPLY: starts with a code, as in "550 5.1.1 User unknown"')
    if code < _FIRST_REFUSAL:
        bad_input(f"REPLY: {code} is no refusal: those begin with 4 or 5")
    said = SmtpReply(phase=_PHASES.get(phase), code=code, enhanced_code=enhanced, text=text, mx_host=mx)
    run(_qualify(said, json))


async def _qualify(reply: SmtpReply, json: bool) -> None:
    async with client() as connection:
        (result,) = await connection.qualify([reply])
    if result.WhichOneof("result") == "error":
        stop(Problem.from_status(result.error))
    if json:
        print_json("qualification", result.qualification)
    else:
        out.print(_table(result.qualification))


def _table(meaning: Qualification) -> Table:
    table = Table(show_header=False)
    campaign = f" (Campaign's {meaning.campaign_reason})" if meaning.HasField("campaign_reason") else ""
    table.add_row("Type", f"[bold]{words.failure_type(meaning.type)}[/]")
    table.add_row("Reason", f"[bold]{words.reason(meaning.reason)}[/]{campaign}")
    table.add_row("Bounce code", words.bounce_code(meaning.bounce_code))
    table.add_row("Disposition", words.enum_words(Disposition.Name(meaning.disposition), "DISPOSITION_"))
    if meaning.cause:
        table.add_row("Cause", words.enum_words(Cause.Name(meaning.cause), "CAUSE_"))
    if meaning.scope:
        table.add_row("Scope", words.enum_words(Scope.Name(meaning.scope), "SCOPE_"))
    if meaning.HasField("wait_hint"):
        table.add_row("Stated wait", f"{meaning.wait_hint.ToTimedelta()}")
    table.add_row("Rule", Text(meaning.rule_id))
    table.add_row("Normalised text", Text(meaning.normalized_text))
    return table
