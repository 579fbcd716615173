"""`make run`: the same stack, staying up for use."""

from __future__ import annotations

from pathlib import Path

from demo.machine import machine
from demo.receiver.sites import EXAMPLE_DOMAINS
from emta.cli.console import out

_SETTINGS = {
    # A sixtieth of the default: nobody watches a terminal for five minutes.
    "EMTA_RELAY_RETRY_BASE_SECONDS": "5",
    "EMTA_RELAY_TRACE_RATIO": "1",
}


async def stay(folder: Path) -> int:
    """Run until it is told to stop, or until a service dies."""
    with (folder / "services.log").open("a") as log:
        async with machine(folder, _SETTINGS, log) as running:
            out.print("[bold]emta is up.[/] Ctrl-C stops it.\n")
            for name, address in running.stack.addresses.items():
                out.print(f"  {name:<9} {address}")
            out.print(
                f"  receiver  SMTP port {running.receiver.smtp_port}, DNS {running.receiver.dns_address}, "
                f"for {', '.join(EXAMPLE_DOMAINS[:3])} ...\n\n"
                "Retries come sixty times sooner than by default: after a minute instead of an hour.\n\n"
                "In another terminal:\n\n"
                "  .venv/bin/emta send --delivery first --eml demo/sample/message.eml "
                "--recipients demo/sample/people.csv\n"
                "  .venv/bin/emta log first --status failed\n"
                '  .venv/bin/emta qualify "550 5.1.1 User unknown"\n\n'
                f"Logs: {folder}/services.log; what the receiver accepted: {folder}/accepted.jsonl\n",
                soft_wrap=True,
            )
            raise await running.stack.failure()
