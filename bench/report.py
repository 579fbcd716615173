"""Results: lines and tables to read, JSON to compute with."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.table import Table

from bench.measure import Result
from bench.ours import FOLDER
from emta.cli.console import out

# More than this taken by others, and a figure is worth little (of two cores).
_QUIET_CORES = 0.1


def say(text: str) -> None:
    """Print a line."""
    out.print(text, soft_wrap=True)


def show(table: Table) -> None:
    """Print a table."""
    out.print(table)


def line(name: str, result: Result) -> str:
    """One run in one line: messages a second, CPU in us a message, and which process took it."""
    shares = sorted(result.cpu_us.items(), key=lambda share: -share[1])
    cpu = ", ".join(f"{process} {us:,.0f}" for process, us in shares if us >= 1)
    noise = ""
    if result.others_cores > _QUIET_CORES:
        noise = f" [yellow](not a quiet moment: others took {result.others_cores:.1f} cores)[/]"
    rate, total = result.messages_per_second, result.cpu_us_total
    return f"  {name:<17}[bold]{rate:>6,.0f}/s[/] {total:>6,.0f} us: [dim]{cpu}[/]{noise}"


def median(values: Sequence[float]) -> float:
    """Median, rounded to three digits after the point."""
    return round(statistics.median(values), 3)


def medians(rows: Sequence[tuple[str, str, Sequence[Result]]]) -> Table:
    """Medians by profile and MTA; the range of the rates shows how far to trust them."""
    table = Table(title="Medians", title_justify="left")
    table.add_column("Profile")
    table.add_column("MTA")
    for heading in ("messages/s", "range", "CPU us", "sessions"):
        table.add_column(heading, justify="right")
    for profile, mta, results in rows:
        rates = [result.messages_per_second for result in results]
        table.add_row(
            profile,
            mta,
            f"{median(rates):,.0f}",
            f"{min(rates):,.0f}-{max(rates):,.0f}",
            f"{median([result.cpu_us_total for result in results]):,.0f}",
            f"{median([result.connections for result in results]):,.0f}",
        )
    return table


def write(name: str, figures: Mapping[str, Any]) -> Path:
    """Write var/bench/<name>.json, with what the figures were measured on."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.json"
    path.write_text(json.dumps(dict(figures) | {"machine": machine()}, indent=2) + "\n")
    out.print(f"Written: {path}", style="dim")
    return path


def machine() -> dict[str, Any]:
    """What the figures were measured on, and of which commit."""
    commit = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    described = subprocess.run(
        commit, cwd=Path(__file__).parent, capture_output=True, text=True, check=False
    )
    models = [
        row.partition(":")[2].strip()
        for row in Path("/proc/cpuinfo").read_text().splitlines()
        if row.startswith("model name")
    ]
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": described.stdout.strip(),
        "cpu": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_average": os.getloadavg()[0],
        # Services take over the caller's settings. An URL may have a password in it.
        "settings": {
            name: value
            for name, value in sorted(os.environ.items())
            if name.startswith("EMTA_") and not name.endswith("_URL")
        },
    }
