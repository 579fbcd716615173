"""The command `emta` as a process, for scenarios that type it."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from tests.e2e.conftest import World

_EMTA = Path(sys.executable).with_name("emta")
SEND = ("send", "--delivery", "spring", "--eml", "message.eml", "--recipients", "people.csv")


async def start(
    world: World,
    folder: Path,
    *arguments: str,
    stdin: bool = False,
    stdout: int = asyncio.subprocess.PIPE,
) -> asyncio.subprocess.Process:
    environ = os.environ | {
        f"EMTA_CLIENT_{name.upper()}": world.addresses[name] for name in ("relay", "feedback", "bounce")
    }
    return await asyncio.create_subprocess_exec(
        _EMTA,
        *arguments,
        cwd=folder,
        env=environ | {"COLUMNS": "120"},
        stdin=asyncio.subprocess.PIPE if stdin else None,
        stdout=stdout,
        stderr=asyncio.subprocess.PIPE,
    )


def errors(err: bytes) -> str:
    """Give standard error without what a busy machine adds: for whom the command waits."""
    lines = err.decode().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("emta: waiting for "))


async def emta(world: World, folder: Path, *arguments: str) -> tuple[int | None, str, str]:
    process = await start(world, folder, *arguments)
    out, err = await process.communicate()
    return process.returncode, out.decode(), errors(err)
