"""CPU and memory of processes with all their children, from /proc (Linux).

The kernel counts in steps of 10 ms a process, so a figure for thousands of messages is exact to a few
microseconds a message. Children that have ended are in their parent's figures (cutime, cstime).
"""

from __future__ import annotations

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


def tree(pid: int) -> list[int]:
    """A process, its children, and theirs; those that have ended in the meantime are left out."""
    found = [pid]
    for parent in found:
        for task in (_PROC / str(parent) / "task").glob("*"):
            try:
                found += [int(child) for child in (task / "children").read_text().split()]
            except OSError:
                continue
    return found


def cpu_seconds(pid: int) -> float:
    """CPU of a process and its children, living and ended, seconds."""
    ticks = 0
    for each in tree(pid):
        try:
            stat = (_PROC / str(each) / "stat").read_text()
        except OSError:
            continue
        # utime, stime, cutime, cstime; the name before them may contain anything (proc(5)).
        ticks += sum(int(field) for field in stat.rpartition(")")[2].split()[11:15])
    return ticks / _TICKS


def peak_rss_mb(pid: int) -> float:
    """Largest resident memory that a process and its children have had, each for itself, MiB."""
    kilobytes = 0
    for each in tree(pid):
        try:
            status = (_PROC / str(each) / "status").read_text()
        except OSError:
            continue
        kilobytes += sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))
    return kilobytes / 1024


def busy_seconds() -> float:
    """CPU of the whole machine since it started, seconds."""
    user, nice, system, _idle, _iowait, irq, softirq, *_ = (
        int(field) for field in (_PROC / "stat").read_text().partition("\n")[0].split()[1:]
    )
    return (user + nice + system + irq + softirq) / _TICKS
