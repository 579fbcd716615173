"""A process of the benchmark's that is spoken to in lines: a word in, a line of JSON out."""

from __future__ import annotations

import asyncio
import json
import sys
from types import TracebackType
from typing import Any

from services.chassis.children import tethered

_LONGEST_LINE = 64 * 1024 * 1024


class BenchError(Exception):
    """A measurement cannot be made, or its result is wrong; the text is one line that says why."""


class Child:
    """`async with Child("bench.receiver", "--tls") as receiver:` -- it ends with the block."""

    def __init__(self, module: str, *options: str) -> None:
        self._module = module
        self._options = options
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int:
        """Process id."""
        assert self._process is not None
        return self._process.pid

    async def __aenter__(self) -> Child:
        self._process = await asyncio.create_subprocess_exec(
            *tethered(sys.executable, "-m", self._module, *self._options),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()

    def say(self, word: str) -> None:
        """Write a line."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(word.encode() + b"\n")

    async def hear(self) -> dict[str, Any]:
        """Read a line. Raises BenchError when the process has ended."""
        assert self._process is not None
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise BenchError(f"{self._module} has ended with {await self._process.wait()}")
        heard: dict[str, Any] = json.loads(line)
        return heard

    async def ask(self, word: str) -> dict[str, Any]:
        """Write a line and read the answer."""
        self.say(word)
        return await self.hear()
