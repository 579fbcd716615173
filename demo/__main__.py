"""`python -m demo` sends a mailing through everything and shows it; `python -m demo run` stays up."""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
from pathlib import Path

from demo.show import show
from demo.stay import stay
from emta.problems import in_words
from services.chassis import process
from services.chassis.embedded_store import StoreError
from services.stack import StackError

_FOLDER = Path("var")


def main(arguments: list[str]) -> int:
    """Run what `arguments` ask for; gives the exit code."""
    match arguments:
        case []:
            command, folder = show, _FOLDER / "demo"
            # Every demo begins with an empty store.
            shutil.rmtree(folder, ignore_errors=True)
        case ["run"]:
            command, folder = stay, _FOLDER / "run"
        case _:
            print(__doc__, file=sys.stderr)
            return process.EXIT_BAD_INPUT
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return asyncio.run(_until_signal(command(folder)))
    except (StackError, StoreError, OSError) as error:
        print(f"demo: {in_words(error)}; the log is {folder / 'services.log'}", file=sys.stderr)
        return process.EXIT_FAILED
    except (KeyboardInterrupt, asyncio.CancelledError):
        if command is not stay:
            return 130
        # That is how it is meant to end.
        print(f"Stopped. Messages and figures are kept in {folder}.")
        return 0


async def _until_signal(command: object) -> int:
    """Let SIGTERM end things as Ctrl-C does: in order."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await command  # type: ignore[misc, no-any-return]


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
