"""A small disk of its own for a test."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def small_disk(folder: Path, octets: int) -> Iterator[Path]:
    """Mount a tmpfs; skips the test where that is not allowed."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to mount a small tmpfs")
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={octets}", "emta-test", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        pytest.skip(f"no tmpfs here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


def fill(file: Path, leave: int) -> None:
    """Make `file` so large that only so many octets of its disk are left."""
    with file.open("wb") as opened:
        # Only now: what the file held before is free again.
        state = os.statvfs(file.parent)
        os.posix_fallocate(opened.fileno(), 0, state.f_bavail * state.f_frsize - leave)
