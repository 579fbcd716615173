"""Several processes of one service behind one port: the kernel spreads connections over them."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from services.chassis.children import tethered
from services.chassis.embedded_store import EmbeddedStore
from services.chassis.logs import Log
from services.chassis.settings import StoreSettings

# A worker that dies five times in a minute will not be helped by a sixth start.
_DEATHS, _DEATHS_SECONDS = 5, 60.0
_FIRST_BACKOFF_SECONDS, _LONGEST_BACKOFF_SECONDS = 0.2, 5.0
_LONGEST_LINE = 64 * 1024 * 1024
# Beyond its own grace: then it is killed.
_STOP_SECONDS = 15.0


class WorkersError(OSError):
    """The workers cannot run; the text is one line that says why."""


class Workers:
    """The running workers; `address` is where they serve.

    Where one dies for good, the block that runs them is cancelled and ends with a WorkersError.
    """

    def __init__(self, name: str, address: str, count: int, environ: dict[str, str], grace: float) -> None:
        self._log = Log(name)
        self._name = name
        self._environ = environ
        self._grace = grace
        self._serving: list[asyncio.Future[None]] = []
        self._processes: list[asyncio.subprocess.Process | None] = [None] * count
        self._keepers: list[asyncio.Task[None]] = []
        self._stopping = False
        self._owner: asyncio.Task[object] | None = None
        self.failure: WorkersError | None = None
        self.address = address

    async def start(self) -> None:
        """Start them all; returns when all serve. Raises WorkersError."""
        loop = asyncio.get_running_loop()
        for number in range(len(self._processes)):
            self._serving.append(loop.create_future())
            self._keepers.append(asyncio.create_task(self._keep(number)))
        all_serve: asyncio.Future[list[None]] = asyncio.gather(*self._serving)
        waiting: list[asyncio.Future[Any]] = [all_serve, *self._keepers]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if self.failure is not None:
            raise self.failure
        self._owner = asyncio.current_task()

    async def stop(self) -> None:
        """Let them drain, and wait for them."""
        for process, keeper in zip(self._processes, self._keepers, strict=True):
            if process is not None and process.returncode is None:
                process.send_signal(signal.SIGTERM)
            else:
                # Between two lives.
                keeper.cancel()
        self._stopping = True
        _, late = await asyncio.wait(self._keepers, timeout=self._grace + _STOP_SECONDS)
        for process in self._processes:
            if late and process is not None and process.returncode is None:
                process.kill()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    async def _keep(self, number: int) -> None:
        """Start a worker again whenever it dies, within reason."""
        deaths: deque[float] = deque(maxlen=_DEATHS)
        backoff = _FIRST_BACKOFF_SECONDS
        while True:
            last_words = await self._live(number)
            if self._stopping:
                return
            if not self._serving[number].done():
                self._fail(f"worker {number} does not start: {last_words}")
                return
            deaths.append(time.monotonic())
            self._log.error("worker_died", worker=number, last_words=last_words)
            if len(deaths) == _DEATHS and deaths[-1] - deaths[0] < _DEATHS_SECONDS:
                self._fail(f"worker {number} keeps dying: {last_words}")
                return
            await asyncio.sleep(backoff)
            backoff = min(2 * backoff, _LONGEST_BACKOFF_SECONDS)

    def _fail(self, why: str) -> None:
        self.failure = WorkersError(why)
        if self._owner is not None:
            self._owner.cancel()

    def end_of_block(self) -> None:
        """Tell a cancellation of ours from another's. Raises WorkersError."""
        if self.failure is not None and self._owner is not None:
            self._owner.uncancel()
            raise self.failure from None

    async def _live(self, number: int) -> str:
        """One life of a worker; gives its last words."""
        process = self._processes[number] = await asyncio.create_subprocess_exec(
            *tethered(sys.executable, "-m", f"services.{self._name}"),
            env=self._environ,
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            # Ctrl-C is ours to hear.
            start_new_session=True,
            limit=_LONGEST_LINE,
        )
        last_words = "it said nothing"
        assert process.stderr is not None
        async for raw in process.stderr:
            line = raw.decode(errors="replace")
            last_words = line.strip()
            if not _is_serving(line):
                sys.stderr.write(line)
                sys.stderr.flush()
            elif not self._serving[number].done():
                self._serving[number].set_result(None)
        await process.wait()
        return last_words


@asynccontextmanager
async def workers(name: str, settings: StoreSettings, count: int, listen: str) -> AsyncIterator[Workers]:
    """Run `count` workers of a service; all share its port, and its embedded store where it has one."""
    prefix = f"EMTA_{name.upper()}_"
    host, _, port = listen.rpartition(":")
    async with AsyncExitStack() as stack:
        environ = {**os.environ, f"{prefix}WORKERS": "1", f"{prefix}SHARE_PORT": "true"}
        if settings.redis_url is None:
            store = await stack.enter_async_context(EmbeddedStore(settings.data_dir / name))
            environ[f"{prefix}REDIS_URL"] = store.url
        # Bound and never listened on: it keeps the port for the workers.
        keeper = stack.enter_context(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET))
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        keeper.bind((host.strip("[]"), int(port)))
        address = f"{host}:{keeper.getsockname()[1]}"
        environ[f"{prefix}LISTEN"] = address
        running = Workers(name, address, count, environ, settings.drain_seconds)
        try:
            await running.start()
            yield running
        except asyncio.CancelledError:
            running.end_of_block()
            raise
        finally:
            await running.stop()


def _is_serving(line: str) -> bool:
    try:
        event = json.loads(line)
    except ValueError:
        return False
    return isinstance(event, dict) and event.get("event") == "serving"
