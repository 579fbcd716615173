"""python -m chaos: try what emta promises, by killing it, cutting it off, stopping it, filling it up."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import shutil
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from chaos.rows import ROWS
from chaos.trial import CI_MESSAGES, Row, Skipped, Trial

_RESULTS = Path("var/chaos/latest.json")
_ROW_SECONDS = 900.0
_EPILOG = """\
rows:
{rows}

Each row starts emta as real processes on this machine (loopback only), submits 200 messages a second, does
what the row says, and asks three witnesses what became of the messages: the source, the receivers' journal,
and Feedback's log. docs/reference/chaos.md says what each row promises.

examples:
  python -m chaos                       all rows, the size of CI
  python -m chaos F1 F3                 two of them
  python -m chaos F1 --seed 7 --keep    the same kills again; the logs of all processes stay

exit code: 0 when every row passed or was skipped, 1 when one failed, 2 for wrong arguments.
"""


@dataclass(frozen=True)
class Result:
    """What came of a row."""

    row: str
    what: str
    accepted: int = 0
    lost: int = 0
    duplicates: int = 0
    recovery_s: float = 0.0
    passed: bool = False
    skipped: str = ""  # why
    failures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0


def main() -> int:
    """Read the arguments, try the rows, print the table; gives the exit code."""
    options = _arguments()
    chosen = [row for row in ROWS if not options.rows or row.name in options.rows]
    folder = Path(tempfile.mkdtemp(prefix="emta-chaos-"))
    results = []
    print(f"fault suite: {len(chosen)} rows, seed {options.seed}, lease {options.lease:g} s", flush=True)
    try:
        for row in chosen:
            results.append(asyncio.run(_try(row, options, folder / row.name)))
            print(_line(results[-1]), flush=True)
    finally:
        if options.keep:
            print(f"logs and data: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
    print(_table(results))
    options.json.parent.mkdir(parents=True, exist_ok=True)
    settings = {"messages": options.messages, "lease_seconds": options.lease, "seed": options.seed}
    rows = [asdict(result) for result in results]
    options.json.write_text(json.dumps({**settings, "rows": rows}, indent=2) + "\n")
    return int(any(not result.passed and not result.skipped for result in results))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m chaos",
        description="The fault suite of emta.",
        epilog=_EPILOG.format(rows="\n".join(f"  {row.name:<4} {row.what}" for row in ROWS)),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("rows", nargs="*", metavar="ROW", type=str.upper, help="F1 F3 ...; default: all")
    parser.add_argument(
        "--messages",
        type=int,
        default=CI_MESSAGES,
        metavar="N",
        help="size of the run: F1 gets at least N messages, the other rows a share of it, and rows that "
        f"repeat something repeat it N/{CI_MESSAGES} times as often; default {CI_MESSAGES}",
    )
    parser.add_argument("--lease", type=float, default=2.0, metavar="S", help="lease, seconds; default 2")
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="of all random choices; default 1")
    parser.add_argument("--json", type=Path, default=_RESULTS, metavar="PATH", help=f"default {_RESULTS}")
    parser.add_argument("--keep", action="store_true", help="keep the processes' logs and data")
    options = parser.parse_args()
    known = {row.name for row in ROWS}
    if unknown := [name for name in options.rows if name not in known]:
        parser.error(f"there is no row {unknown[0]}; --help lists them")
    return options


async def _try(row: Row, options: argparse.Namespace, folder: Path) -> Result:
    def progress(text: str) -> None:
        if sys.stdout.isatty():
            print(f"\r\x1b[K{row.name:<4} {text}", end="", flush=True)

    trial = Trial(
        folder=folder,
        messages=round(options.messages * row.share),
        lease_seconds=options.lease,
        random=random.Random(f"{options.seed} {row.name}"),
        progress=progress,
        scale=max(1, options.messages // CI_MESSAGES),
    )
    began, skipped = time.monotonic(), ""
    progress(row.what)
    try:
        async with asyncio.timeout(_ROW_SECONDS * trial.scale):
            await row.run(trial)
    except Skipped as reason:
        skipped = str(reason)
    except Exception as error:
        # A row that breaks has not shown what it promises; the others go on.
        trial.failures.append(f"{type(error).__name__}: {error}")
    progress("")
    return Result(
        row.name,
        row.what,
        trial.accepted,
        trial.lost,
        trial.duplicates,
        round(trial.recovery_seconds, 2),
        not trial.failures and not skipped,
        skipped,
        tuple(trial.failures),
        tuple(trial.notes),
        round(time.monotonic() - began, 1),
    )


def _verdict(result: Result) -> str:
    return "passed" if result.passed else f"skipped: {result.skipped}" if result.skipped else "FAILED"


def _line(result: Result) -> str:
    lines = [f"\r{result.row:<4} {_verdict(result)} ({result.seconds:.0f} s)"]
    lines += [f"     {failure}" for failure in result.failures]
    lines += [f"     note: {note}" for note in result.notes]
    return "\n".join(lines)


def _table(results: list[Result]) -> str:
    width = max((len(result.what) for result in results), default=4)
    lines = [
        "",
        f"{'row':<4} {'what':<{width}} {'accepted':>8} {'lost':>5} {'dup':>5} {'recovery':>9}  result",
    ]
    for r in results:
        figures = f"{r.accepted:>8} {r.lost:>5} {r.duplicates:>5} {r.recovery_s:>7.1f} s"
        lines.append(f"{r.row:<4} {r.what:<{width}} {figures if not r.skipped else '':>30}  {_verdict(r)}")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
