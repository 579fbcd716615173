"""Speed of emta, measured. `make bench` and `make bench-peers` do `run`; bench/README.md explains all."""

from __future__ import annotations

import argparse
import asyncio
import sys
from types import ModuleType

from bench import accept, depth, dns, guard, hostile, inbound, qualify, restart, run, workers
from bench.child import BenchError
from emta.problems import Problem, in_words
from services.chassis.embedded_store import StoreError
from services.stack import StackError

_COMMANDS: dict[str, ModuleType] = {
    "run": run,
    "accept": accept,
    "depth": depth,
    "workers": workers,
    "hostile": hostile,
    "restart": restart,
    "dns": dns,
    "qualify": qualify,
    "guard": guard,
    "inbound": inbound,
}
_EPILOG = """examples:
  python -m bench run                                      all profiles, three times: some minutes
  python -m bench run --profile lab --runs 1 --messages 2000   one profile, quickly
  make bench BENCH="--profile field --runs 5"              the same by make
  python -m bench depth --depth 100000                     a tenth of the figure's queue
Results: var/bench/latest.json (run), var/bench/<command>.json (others)."""


def main() -> int:
    """Read the arguments and measure; gives the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, module in _COMMANDS.items():
        summary = (module.__doc__ or "").partition(": ")[2].partition("\n\n")[0].replace("\n", " ")
        module.add_arguments(commands.add_parser(name, help=summary, description=module.__doc__))
    arguments = parser.parse_args()
    for name in ("runs", "messages", "depth"):
        given = getattr(arguments, name, None)
        if given is not None and given < 1:
            parser.error(f"--{name} must be at least 1")
    try:
        code: int = asyncio.run(_COMMANDS[arguments.command].run(arguments))
    except BenchError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 2
    except (StackError, StoreError, Problem, OSError) as error:
        print(f"bench: {in_words(error)}; the log is var/bench/services.log", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code


if __name__ == "__main__":
    raise SystemExit(main())
