"""`make demo`: a mailing of 1,000 messages through the whole stack, watched."""

from __future__ import annotations

import time
from pathlib import Path

import dkim
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from demo import steps
from demo.machine import Machine, machine
from demo.messages import mailing, recipients
from demo.receiver.sites import EXAMPLE_DOMAINS
from emta.cli.console import out
from emta.cli.delivery import follow
from emta.client import Client
from emta.feedback.v1.delivery_pb2 import DeliveryKpis
from services.stack import SERVICES

_DELIVERY = "spring"
_MESSAGES = 1_000
# Long enough for a retry to succeed, short enough to see a message expire.
_VALIDITY_SECONDS = 20
_SETTINGS = {
    **{f"EMTA_{name.upper()}_LISTEN": "127.0.0.1:0" for name in SERVICES},
    "EMTA_RELAY_RETRY_BASE_SECONDS": "1",
    "EMTA_RELAY_COMMAND_TIMEOUT_SECONDS": "10",
}
_VERIFIED = 50


async def show(folder: Path) -> int:
    """Send, watch, and check what arrived; gives the exit code."""
    out.print(
        f"[bold]emta demo[/]: {_MESSAGES:,} messages to {len(EXAMPLE_DOMAINS)} example sites on this "
        f"machine, valid for {_VALIDITY_SECONDS} s.\nStarting the store, the receiver and the services ..."
    )
    with (folder / "services.log").open("w") as log:
        async with machine(folder, _SETTINGS, log) as running:
            for name, address in running.stack.addresses.items():
                out.print(f"  {name:<9} {address}", style="dim")
            async with running.client() as client:
                await _send(client)
                await follow(
                    client, _DELIVERY, hint="Some wait for a retry; those that never succeed expire."
                )
                events = [event async for event in client.watch(_DELIVERY, stop_when_done=True)]
                found = steps.find(events)
                out.print(steps.table(found))
                good = _check(running, await client.kpis(_DELIVERY)) and len(found) == 5
    out.print(
        f"Logs: {folder}/services.log\nWhat the receiver accepted: {folder}/accepted.jsonl", style="dim"
    )
    out.print("Try it yourself: [bold]make run[/]")
    return 0 if good else 1


async def _send(client: Client) -> None:
    addresses = recipients(EXAMPLE_DOMAINS, _MESSAGES)
    await client.open_delivery(_DELIVERY, label="Spring is here", to_deliver=len(addresses))
    columns = (TextColumn("Submitting"), BarColumn(), MofNCompleteColumn())
    began = time.monotonic()
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as progress:
        task = progress.add_task("submit", total=len(addresses))
        async for _ in client.submit(mailing(_DELIVERY, addresses, _VALIDITY_SECONDS)):
            progress.advance(task)
    await client.until_reported(_DELIVERY, len(addresses))
    await client.close_delivery(_DELIVERY)
    out.print(f"{len(addresses):,} messages taken into account in {time.monotonic() - began:.1f} s.")


def _check(running: Machine, kpis: DeliveryKpis) -> bool:
    """Compare what Feedback says with what the receiver has."""
    arrived = running.receiver.journal.messages
    txt = running.receiver.zone.txt
    sample = arrived[:: max(len(arrived) // _VERIFIED, 1)]
    verified = sum(
        dkim.verify(one.content, dnsfunc=lambda name, timeout=5: txt(name.decode()).encode())
        for one in sample
    )
    agree = kpis.sent == len({message.rcpt for message in arrived})
    mark = "[green]agree[/]" if agree else "[red]do not agree[/]"
    out.print(f"The receiver accepted {len(arrived):,} messages; its journal and the log {mark}.")
    out.print(f"DKIM: {verified} of {len(sample)} messages looked at carry a valid signature.")
    return agree and verified == len(sample)
