"""`python -m services` runs all of emta on this machine until it is told to stop."""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

from services.chassis import logs, process
from services.chassis.embedded_store import StoreError
from services.stack import Stack, StackError


async def main(data: Path) -> None:
    """Run the stack until SIGTERM, SIGINT, or until a part of it dies."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with Stack(data, {}) as stack:
        for name, address in stack.addresses.items():
            print(f"{name:<9} {address}", flush=True)
        failing = asyncio.create_task(stack.failure())
        waiting = asyncio.create_task(stopping.wait())
        await asyncio.wait({failing, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if failing.done():
            raise failing.result()
        failing.cancel()


if __name__ == "__main__":
    argparse.ArgumentParser(
        prog="python -m services",
        description=__doc__,
        epilog="Settings come from the environment: python -m services.relay --help lists them, "
        "as do signer, bounce and feedback.",
    ).parse_args()
    logs.setup("info")
    try:
        process.run(main(Path(os.environ.get("EMTA_RELAY_DATA_DIR", "var"))))
    except (StackError, StoreError) as error:
        print(f"emta: {error}", file=sys.stderr)
        raise SystemExit(process.EXIT_FAILED) from None
