"""All of it on one machine: the embedded store, then the four services, each a process of its own."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO

from services.chassis.children import tethered
from services.chassis.embedded_store import EmbeddedStore

# Each comes after those whose addresses it needs, and is stopped before them.
SERVICES = ("signer", "feedback", "bounce", "relay")
PEERS = {"bounce": ("feedback",), "relay": ("signer", "bounce", "feedback")}
# A service blocks when nobody reads its log, so no line may be too long to read.
_LONGEST_LINE = 64 * 1024 * 1024
_START_SECONDS = 60.0
_STOP_SECONDS = 60.0


class StackError(Exception):
    """A service does not start, or has died; the text is one line that says which and why."""


class Stack:
    """`async with Stack(folder, environ) as stack:` -- then use `stack.addresses`."""

    def __init__(self, data: Path, environ: Mapping[str, str], log: IO[str] = sys.stderr) -> None:
        self._environ = dict(environ)
        self._log = log
        self._store = EmbeddedStore(data / "store")
        self._processes: dict[str, asyncio.subprocess.Process] = {}
        self._readers: list[asyncio.Task[None]] = []
        self._last_words: dict[str, str] = {}
        self.addresses: dict[str, str] = {}

    async def __aenter__(self) -> Stack:
        await self._store.__aenter__()
        try:
            for name in SERVICES:
                await self._start(name)
        except BaseException:
            await self._stop()
            await self._store.__aexit__(*sys.exc_info())
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stop()
        await self._store.__aexit__(kind, error, trace)

    @property
    def pids(self) -> dict[str, int]:
        """Process ids of the services, and of the store."""
        return {name: process.pid for name, process in self._processes.items()} | {"store": self._store.pid}

    @property
    def store_url(self) -> str:
        """URL of the store, for services.chassis.store.connect."""
        return self._store.url

    async def failure(self) -> StackError:
        """Wait until a service dies; gives what to say about it."""
        waiting = {asyncio.create_task(p.wait()): name for name, p in self._processes.items()}
        done, pending = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        name = waiting[done.pop()]
        return StackError(f"{name} has died: {self._last_words.get(name, 'it said nothing')}")

    async def _start(self, name: str) -> None:
        environ = os.environ | self._environ
        if name != "signer":
            environ[f"EMTA_{name.upper()}_REDIS_URL"] = self._store.url
        for peer in PEERS.get(name, ()):
            environ[f"EMTA_{name.upper()}_{peer.upper()}"] = self.addresses[peer]
        process = await asyncio.create_subprocess_exec(
            *tethered(sys.executable, "-m", f"services.{name}"),
            env=environ,
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            # Ctrl-C is ours to hear: we stop them in order.
            start_new_session=True,
            limit=_LONGEST_LINE,
        )
        self._processes[name] = process
        serving: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._readers.append(asyncio.create_task(self._read(name, process, serving)))
        try:
            self.addresses[name] = await asyncio.wait_for(serving, _START_SECONDS)
        except TimeoutError:
            raise StackError(f"{name} does not start") from None

    async def _read(
        self, name: str, process: asyncio.subprocess.Process, serving: asyncio.Future[str]
    ) -> None:
        """Hand the service's log on, and hear from it where it serves."""
        assert process.stderr is not None
        async for raw in process.stderr:
            line = raw.decode(errors="replace")
            self._log.write(line)
            self._log.flush()
            self._last_words[name] = line.strip()
            if not serving.done() and (address := _serving(line)):
                serving.set_result(address)
        if not serving.done():
            words = self._last_words.get(name, "it said nothing")
            serving.set_exception(StackError(f"{name} does not start: {words}"))

    async def _stop(self) -> None:
        for name in reversed(SERVICES):
            process = self._processes.get(name)
            if process is None or process.returncode is not None:
                continue
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _STOP_SECONDS)
            except TimeoutError:
                process.kill()
        await asyncio.gather(*self._readers, return_exceptions=True)


def _serving(line: str) -> str:
    try:
        event = json.loads(line)
    except ValueError:
        return ""
    return event["address"] if isinstance(event, dict) and event.get("event") == "serving" else ""
