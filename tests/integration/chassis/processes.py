"""Processes of services, as an operator starts and stops them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
_PATIENCE_SECONDS = 30.0


def environ(**settings: str) -> dict[str, str]:
    """Environment of this process, with these EMTA_* and OTEL_* variables and no others."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("EMTA_", "OTEL_"))}
    return {**inherited, "PYTHONPATH": f"{ROOT}:{ROOT / 'client'}", **settings}


def children(pid: int) -> list[int]:
    """Give the processes that a process has started (Linux)."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


class Process:
    """A process whose log is read line by line."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.lines: list[str] = []

    @property
    def pid(self) -> int:
        return self._process.pid

    async def event(self, name: str) -> dict[str, Any]:
        """Read its log up to an event."""
        assert self._process.stderr is not None
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while raw := await self._process.stderr.readline():
                line = raw.decode().strip()
                self.lines.append(line)
                if line.startswith("{") and (event := json.loads(line))["event"] == name:
                    return dict(event)
        raise AssertionError(f"ended without {name}: {self.lines}")

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    async def end(self) -> int:
        """Wait until it ends by itself; gives its exit code."""
        assert self._process.stderr is not None
        async with asyncio.timeout(_PATIENCE_SECONDS):
            self.lines += (await self._process.stderr.read()).decode().splitlines()
            return await self._process.wait()


@asynccontextmanager
async def started(module: str, **settings: str) -> AsyncIterator[Process]:
    """Run `python -m <module>`; what is left of it at the end is killed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        cwd=ROOT,
        env=environ(**settings),
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Process(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def finished(module: str, *arguments: str, **settings: str) -> tuple[int, str, str]:
    """Run `python -m <module> <arguments>` to its end; gives exit code, output, errors."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        cwd=ROOT,
        env=environ(**settings),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            output, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, output.decode(), errors.decode()
