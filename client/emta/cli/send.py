"""`emta send`: one message to a table of people."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.duration_pb2 import Duration
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from emta.as_json import as_dict
from emta.cli import words
from emta.cli.console import EXIT_FAILED, Json, bad_input, client, out, print_json, run
from emta.cli.delivery import detached, follow, follow_in_lines
from emta.cli.progress import Lines
from emta.client import Client
from emta.people import People
from emta.problems import Problem, invalid
from emta.relay.v1.message_pb2 import Message, ReturnPath, ReturnPathMode
from emta.relay.v1.relay_service_pb2 import SubmitResult
from emta.template import Template

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SHOWN_REFUSALS = 10


@dataclass
class _Job:
    delivery: str
    template: Template
    people: People
    mail_from: str
    return_path: ReturnPath | None
    validity: timedelta | None
    json: bool
    accepted: int = 0
    addresses: dict[str, str] = field(default_factory=dict)  # by message id: on the way
    known: int = 0  # of the accepted: from an earlier run
    refused: int = 0
    clamped: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    def messages(self) -> Iterator[Message]:
        validity = None
        if self.validity is not None:
            validity = Duration()
            validity.FromTimedelta(self.validity)
        for person in self.people:
            try:
                content = self.template.fill(person.row)
            except Problem as problem:
                raise invalid(
                    "--recipients",
                    problem.reason,
                    f"message {person.message_id}: {problem.message}",
                ) from None
            self.addresses[person.message_id] = person.address
            yield Message(
                message_id=person.message_id,
                delivery_id=self.delivery,
                mail_from=self.mail_from,
                return_path=self.return_path,
                rcpt_to=person.address,
                content=content,
                validity=validity,
            )

    def count_known(self, number: int) -> None:
        self.known = number

    def count(self, result: SubmitResult) -> None:
        address = self.addresses.pop(result.message_id, "")
        if result.WhichOneof("result") == "acceptance":
            self.accepted += 1
            self.clamped += result.acceptance.clamped
            return
        self.refused += 1
        problem = Problem.from_status(result.error)
        self.reasons[problem.reason] += 1
        if self.json:
            print_json("refused", as_dict(result) | {"rcpt_to": address})
        elif self.refused <= _SHOWN_REFUSALS:
            told = escape(f"message {result.message_id} to {address}: {problem.message} ({problem.reason})")
            out.print(f"[red]Refused[/] {told}")


def send(
    delivery: Annotated[str, typer.Option(help="Identifier of the delivery.", show_default=False)],
    eml: Annotated[
        Path, typer.Option(help="The message.", exists=True, dir_okay=False, show_default=False)
    ],
    recipients: Annotated[
        Path, typer.Option(help="The people, CSV.", exists=True, dir_okay=False, show_default=False)
    ],
    mail_from: Annotated[
        str, typer.Option("--from", help="Envelope sender. Default: the address in the From field.")
    ] = "",
    return_path: Annotated[
        str,
        typer.Option(
            help="Domain of a signed return path for each message, whose mail `emta inbound` gets. "
            "Default: --from as it is."
        ),
    ] = "",
    validity: Annotated[
        str, typer.Option(help="How long to try: 90m, 12h, 1d; 84 h at most. Default: 84 h.")
    ] = "",
    label: Annotated[
        str, typer.Option(help="Name of the delivery. Default: the Subject, when it is the same for all.")
    ] = "",
    json: Json = False,
) -> None:
    """Send one message to a table of people.

    The message is an .eml file; {{column}} in its header fields and text parts is filled from the
    CSV file's columns, row by row. The CSV file needs a column email (or address, or recipient); a
    column id, if there is one, names the messages, else the row number does. Run again, the command
    sends nothing twice: a message that changed needs another --delivery.

    Exit code: 0; 1 when every message was refused or it was stopped while submitting; 2 for bad input.

    \b
    emta send --delivery spring-sale --eml message.eml --recipients people.csv
    """
    template = Template(eml.read_bytes())
    people = People(recipients)
    template.check(people.columns)
    sender = mail_from or template.sender
    if not sender:
        bad_input("--from: the message has no From address, so name the envelope sender")
    job = _Job(delivery, template, people, sender, _return_path(return_path), _duration(validity), json)
    run(_send(job, label or template.label or delivery))


def _return_path(domain: str) -> ReturnPath | None:
    return ReturnPath(mode=ReturnPathMode.RETURN_PATH_MODE_VERP, domain=domain) if domain else None


def _duration(text: str) -> timedelta | None:
    if not text:
        return None
    parsed = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", text.strip())
    if parsed is None or float(parsed[1]) == 0:
        bad_input(f"--validity {text}: a positive number with s, m, h or d, as in 12h")
    try:
        return timedelta(**{_UNITS[parsed[2]]: float(parsed[1])})
    except OverflowError:
        bad_input(f"--validity {text}: too long")


async def _send(job: _Job, label: str) -> int:
    async with client() as connection:
        opened = await connection.open_delivery(
            job.delivery, label=label[:256], to_deliver=job.people.count, validity=job.validity
        )
        if job.json:
            print_json("opened", opened)
        try:
            await _submit(connection, job)
        except asyncio.CancelledError:
            out.print(
                f"Stopped after {job.accepted:,} of {job.people.count:,}; those are being "
                "delivered. Run the same command again to submit the rest: nothing is sent twice."
            )
            return EXIT_FAILED
        try:
            await connection.until_reported(job.delivery, job.accepted)
            await connection.close_delivery(job.delivery)
            _tell(job)
            await _follow(connection, job)
        except asyncio.CancelledError:
            detached(job.delivery)
    return 0 if job.accepted else EXIT_FAILED


async def _submit(connection: Client, job: _Job) -> None:
    columns = (TextColumn("Submitting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    is_live = out.is_terminal and not job.json
    lines = Lines()
    with Progress(*columns, console=out, transient=True, disable=not is_live) as progress:
        task = progress.add_task("submit", total=job.people.count)
        async for result in connection.submit(job.messages(), known=job.count_known):
            job.count(result)
            progress.advance(task)
            if not is_live:
                lines.say(f"{job.accepted + job.refused:,} of {job.people.count:,} submitted")


def _tell(job: _Job) -> None:
    if job.json:
        print_json("submitted", {"accepted": job.accepted, "known": job.known, "refused": job.refused})
        return
    taken = job.accepted - job.known
    if taken or not job.known:
        out.print(f"{words.count(taken, 'message')} taken into account.")
    if job.known:
        out.print(
            f"{job.known:,} {words.were(job.known)} known already: nothing was sent again "
            "(another --delivery sends them)."
        )
    if job.clamped:
        out.print("The validity was cut to 84 hours, the longest there is.")
    for reason, count in job.reasons.most_common():
        out.print(f"[red]{count:,} refused:[/] {reason}")


async def _follow(connection: Client, job: _Job) -> None:
    if not job.json:
        await follow(connection, job.delivery)
        return
    await follow_in_lines(connection, job.delivery)
    print_json("kpis", await connection.kpis(job.delivery))
