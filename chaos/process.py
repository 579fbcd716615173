"""Child processes of the suite: killed, stopped, continued and started again at will."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from services.chassis.children import tethered

_START_SECONDS = 60.0
_ROOT = Path(__file__).resolve().parents[1]


class Process:
    """A child whose output goes to a file."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, command: Sequence[str], environ: Mapping[str, str], log: Path) -> Process:
        """Start a command, with these EMTA_* and OTEL_* variables and no others."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("EMTA_", "OTEL_"))}
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *tethered(*command),
                cwd=_ROOT,
                env=inherited | dict(environ),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return cls(process)

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.returncode is None

    @property
    def resident_bytes(self) -> int:
        """Memory in use (Linux)."""
        pages = Path(f"/proc/{self.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGESIZE")

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        if self.running:
            self._process.send_signal(number)

    async def wait(self) -> int:
        """Wait for its end; gives its exit code."""
        return await self._process.wait()

    async def end(self, number: signal.Signals) -> float:
        """Send a signal that ends it and wait for that; gives the seconds it took."""
        began = time.monotonic()
        self.send(number)
        await self._process.wait()
        return time.monotonic() - began


class Service:
    """A service of emta as a process: `python -m <module>`, on a port that changes with every start."""

    def __init__(
        self,
        name: str,
        module: str,
        environ: Mapping[str, str],
        log: Path,
        serving: Callable[[str], None],
    ) -> None:
        """`serving` is told its address whenever it has started."""
        self.name = name
        self.environ = dict(environ)
        self.log = log
        self.address = ""
        self.deaths = 0  # ends that nobody here asked for
        self._module = module
        self._serving = serving
        self._process: Process | None = None
        self._supervising: asyncio.Task[None] | None = None

    @property
    def process(self) -> Process:
        """The process of the moment."""
        assert self._process is not None, f"{self.name} was not started"
        return self._process

    async def start(self) -> None:
        """Start it and wait until it serves."""
        read_from = self.log.stat().st_size if self.log.exists() else 0
        command = [sys.executable, "-m", self._module]
        self._process = await Process.start(command, self.environ, self.log)
        deadline = time.monotonic() + _START_SECONDS
        while not (address := _serving(self.log, read_from)):
            if not self._process.running or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} does not start: {_last_line(self.log)}")
            await asyncio.sleep(0.02)
        self.address = address
        self._serving(address)

    async def kill(self) -> None:
        """Kill it with SIGKILL."""
        await self.process.end(signal.SIGKILL)

    async def terminate(self, grace_seconds: float = 60.0) -> float:
        """End it in order, by force after `grace_seconds`; gives the seconds it took."""
        began = time.monotonic()
        self.process.send(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.process.wait(), grace_seconds)
        except TimeoutError:
            await self.kill()
        return time.monotonic() - began

    async def stop(self) -> None:
        """The end of the row: whatever state it is in, it goes."""
        if self._supervising is not None:
            self._supervising.cancel()
        if self._process is not None and self._process.running:
            await self.kill()

    def supervise(self) -> None:
        """From now on start it again whenever it dies, as Kubernetes does."""
        self._supervising = asyncio.create_task(self._supervise())

    async def _supervise(self) -> None:
        while True:
            await self.process.wait()
            self.deaths += 1
            try:
                await self.start()
            except RuntimeError:
                await asyncio.sleep(0.5)


def _serving(log: Path, read_from: int) -> str:
    """The address in the log's event "serving" after `read_from`, "" as long as there is none."""
    with log.open("rb") as file:
        file.seek(read_from)
        for line in file:
            if b'"serving"' in line and line.endswith(b"\n"):
                return str(json.loads(line)["address"])
    return ""


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
