"""F9: the disk of the embedded store fills up, and later has room again."""

import asyncio
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chaos.source import message
from chaos.trial import Row, Skipped, Trial
from chaos.waiting import until
from chaos.world import Plan, World
from emta.relay.v1.message_pb2 import Message

_DISK_BYTES = 96 * 1024 * 1024
# More than the share at which accept has to stop (10 %: architecture.md, section 4), and a few seconds of
# load less.
_FREE_BYTES = 24 * 1024 * 1024
_BODY_BYTES = 20_000  # random, so that no compression makes room
_FULL_SECONDS = 30.0
_STAY_FULL_SECONDS = 3.0
_WIND_DOWN_SECONDS = 1.0
_RECOVERY_SECONDS = 10.0


async def _run(trial: Trial) -> None:
    if os.geteuid() != 0:
        raise Skipped("needs root, to mount a small tmpfs")
    with _disk(trial.folder / "disk") as disk:
        async with trial.world(Plan(embedded=disk)) as world:
            # As Kubernetes would: on a full disk Valkey exits, and at last the Relay with it.
            world.relays[0].supervise()
            filler = disk / "filler"
            _fill(filler, disk)
            source = world.source
            async with source.load(trial.messages, make=lambda: _large(trial, world)):
                trial.progress("until accept refuses")
                await until(lambda: bool(source.errors), _FULL_SECONDS)
                trial.progress("full")
                full = time.monotonic()
                await asyncio.sleep(_STAY_FULL_SECONDS)
                filler.unlink()
                world.healed()
                trial.progress("room again")
                await asyncio.sleep(1)
                unrecorded = world.journalled(full - _WIND_DOWN_SECONDS, time.monotonic())
            codes = {error.partition(" ")[0] for error in source.errors}
            trial.expect(
                "RESOURCE_EXHAUSTED" in codes,
                f"accept never said RESOURCE_EXHAUSTED: {dict(source.errors)}",
            )
            trial.notes.append(f"the Relay died {world.relays[0].deaths} times; {dict(source.errors)}")
            await trial.judge(world, excused=unrecorded, recovery_seconds=_RECOVERY_SECONDS)


def _large(trial: Trial, world: World) -> Message:
    usual = world.source.next()
    body = trial.random.randbytes(_BODY_BYTES // 2).hex().encode()
    lines = b"\r\n".join(body[at : at + 76] for at in range(0, len(body), 76))
    return message(usual.message_id, usual.rcpt_to.rpartition("@")[2], content=usual.content + lines)


def _fill(filler: Path, disk: Path) -> None:
    state = os.statvfs(disk)
    size = state.f_bavail * state.f_frsize - _FREE_BYTES
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, size)


@contextmanager
def _disk(folder: Path) -> Iterator[Path]:
    folder.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "emta-chaos", str(folder)]
    mounted = subprocess.run(command, capture_output=True, text=True, check=False)
    if mounted.returncode:
        raise Skipped(f"no tmpfs here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


ROW = Row(
    "F9",
    "the disk of the embedded store fills up, and has room again",
    "accept says RESOURCE_EXHAUSTED; 0 lost; it goes on by itself once there is room",
    0.25,
    _run,
)
