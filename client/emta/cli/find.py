"""`emta find`: where a message is, by what a recipient or a receiver's postmaster knows of it."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from emta.cli import log_tables
from emta.cli.console import Json, bad_input, client, out, print_json, run
from emta.feedback.v1.feedback_service_pb2 import MessageQuery

# What nobody could mean otherwise; RFC 5321 section 4.1.2 says more of what may stand in an address.
_ADDRESS = re.compile(r'(?:[^\s<>"(),:;@]+|"[^<>"]+")@[^\s<>"(),:;@]+')
_MESSAGE_ID = re.compile(r"<[^<>]+>")


def find(
    what: Annotated[
        str,
        typer.Argument(
            metavar="ADDRESS|MESSAGE-ID",
            help="Recipient; or the Message-ID in its angle brackets.",
            show_default=False,
        ),
    ],
    json: Json = False,
) -> None:
    """Find messages by their recipient or Message-ID.

    Of any delivery, where they were accepted within the last twelve days.

    \b
    emta find you@example.com
    emta find "<4711.0815@shop.example>"
    """
    if not (_ADDRESS.fullmatch(what) or _MESSAGE_ID.fullmatch(what)):
        bad_input(f"ADDRESS|MESSAGE-ID: {what} is neither an address nor a Message-ID")
    is_id = what.startswith("<")
    run(_find(MessageQuery(header_message_id=what) if is_id else MessageQuery(recipient=what), json))


async def _find(query: MessageQuery, json: bool) -> None:
    async with client() as connection:
        entries = await connection.find(query)
    if json:
        for entry in entries:
            print_json("entry", entry)
    elif entries:
        out.print(log_tables.log_table(entries, of_one_delivery=False))
    else:
        out.print("No message of the last twelve days.")
