"""python -m demo.receiver: run the receiver until it is stopped, or list what it has."""

from __future__ import annotations

import argparse
import asyncio
import signal
from pathlib import Path

from demo.receiver.behaviours import BEHAVIOURS
from demo.receiver.receiver import Receiver
from demo.receiver.sites import example_zone


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m demo.receiver", description=__doc__)
    parser.add_argument("--list", action="store_true", help="print the domains and behaviours and leave")
    parser.add_argument("--journal", type=Path, metavar="FILE", help="append a JSON line for each message")
    parser.add_argument("--dns-port", type=int, default=0, metavar="PORT", help="default: any free one")
    parser.add_argument("--smtp-port", type=int, default=0, metavar="PORT", help="default: any free one")
    options = parser.parse_args()
    if options.list:
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # who reads `| head` has seen enough
        print(listing())
    else:
        asyncio.run(_serve(options.journal, options.dns_port, options.smtp_port))


def listing() -> str:
    """Domains and behaviours, a line each."""
    return "\n".join(
        [
            "Domains:",
            *(f"  {domain:24} {summary}" for domain, summary in example_zone().summaries.items()),
            "",
            'Recipients, by local part; "+anything" or "-17" may follow:',
            *(f"  {name:24} {behaviour.summary}" for name, behaviour in BEHAVIOURS.items()),
        ]
    )


async def _serve(journal: Path | None, dns_port: int, smtp_port: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, stopped.set)
    receiver = Receiver(journal_file=journal, keep_content=False, dns_port=dns_port, smtp_port=smtp_port)
    async with receiver:
        print(f"name server {receiver.dns_address}, mail servers on port {receiver.smtp_port}", flush=True)
        await stopped.wait()


if __name__ == "__main__":
    main()
