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
    out.print(text)


def line(name: str, result: Result) -> str:
    """One run in one line."""
    cpu = "  ".join(f"{name} {round(us)}" for name, us in result.cpu_us.items())
    noise = ""
    if result.others_cores > _QUIET_CORES:
        noise = f"  [yellow](others took {result.others_cores:.1f} cores: not a quiet moment)[/]"
    return (
        f"  {name:<18} [bold]{result.messages_per_second:7,.0f}[/] messages/s  "
        f"{result.cpu_us_total:6,.0f} us CPU a message [dim]({cpu})[/]{noise}"
    )


def median(values: Sequence[float]) -> float:
    """Median, rounded to three digits after the point."""
    return round(statistics.median(values), 3)


def medians(rows: Mapping[str, Sequence[Result]]) -> Table:
    """Medians by name; the range of the rates shows how far to trust them."""
    table = Table(title="Medians", title_justify="left")
    headings = ("messages/s", "lowest-highest", "us CPU a message", "peak RSS MiB", "connections")
    table.add_column("")
    for heading in headings:
        table.add_column(heading, justify="right")
    for name, results in rows.items():
        rates = [result.messages_per_second for result in results]
        table.add_row(
            name,
            f"{median(rates):,.0f}",
            f"{min(rates):,.0f}-{max(rates):,.0f}",
            f"{median([result.cpu_us_total for result in results]):,.0f}",
            f"{median([sum(result.peak_rss_mb.values()) for result in results]):,.0f}",
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
    described = subprocess.run(commit, capture_output=True, text=True, check=False)
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
    }
