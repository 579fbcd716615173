"""F11: one of eight sites does all that a sender may not suffer from."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from statistics import median

from chaos.sites import Site
from chaos.trial import Row, Trial
from chaos.world import Plan, World

_PHASE_SECONDS = 3.0
_TIMEOUT_SECONDS = 2.0
# Greeting, EHLO, and as much again for what a loaded machine adds.
_LONGEST_SESSION_SECONDS = 4 * _TIMEOUT_SECONDS
_MOST_BYTES = 50 * 1024 * 1024
_SHARE = 0.95
_RECOVERY_SECONDS = 10.0

_Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def _drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    for octet in b"220 " + b"welcome " * 1000:
        writer.write(bytes([octet]))
        await writer.drain()
        await asyncio.sleep(0.2)


async def _endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mx.site1.example\r\n")
    await reader.readline()
    while True:
        writer.write(b"250-and another thing\r\n" * 100)
        await writer.drain()
        await asyncio.sleep(0.001)


async def _resetting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mx.site1.example\r\n")
    await reader.readline()
    writer.transport.abort()


_MANNERS = {
    "says nothing": _silent,
    "drips": _drip,
    "never stops talking": _endless,
    "resets": _resetting,
}


async def _run(trial: Trial) -> None:
    timeouts = ("CONNECT", "GREETING", "COMMAND", "DATA", "DOT")
    environ = {f"EMTA_RELAY_{name}_TIMEOUT_SECONDS": str(_TIMEOUT_SECONDS) for name in timeouts}
    async with trial.world(Plan(environ=environ)) as world:
        hostile, sessions = world.sites[0], list[float]()
        async with world.load():
            await asyncio.sleep(_PHASE_SECONDS)
            usual = _others(world, hostile, _PHASE_SECONDS)
            resident = world.relays[0].process.resident_bytes
            rates = []
            for name, manner in _MANNERS.items():
                trial.progress(f"site 1 {name}")
                hostile.serve = _timed(manner, sessions)
                await asyncio.sleep(_PHASE_SECONDS)
                rates.append(_others(world, hostile, _PHASE_SECONDS))
            grown = world.relays[0].process.resident_bytes - resident
            hostile.serve = None
            world.healed()
        await trial.judge(world, most_duplicates=0, recovery_seconds=_RECOVERY_SECONDS)
        share, longest = median(rates) / max(usual, 1), max(sessions, default=0.0)
        trial.expect(bool(sessions), "the hostile site was never tried")
        trial.expect(share >= _SHARE, f"the other seven kept {share:.0%} of their rate")
        trial.expect(longest <= _LONGEST_SESSION_SECONDS, f"a session lasted {longest:.1f} s")
        trial.expect(grown < _MOST_BYTES, f"the Relay grew by {grown / 1e6:.0f} MB")
        trial.notes.append(
            f"the others kept {share:.0%}; {len(sessions)} hostile sessions, longest {longest:.1f} s; the "
            f"Relay grew by {grown / 1e6:.1f} MB"
        )


def _others(world: World, hostile: Site, seconds: float) -> int:
    now = time.monotonic()
    return sum(delivery.site is not hostile for delivery in world.journalled(now - seconds, now))


def _timed(serve: _Serve, sessions: list[float]) -> _Serve:
    """The same, with the length of each session noted, in seconds."""

    async def timed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        began = time.monotonic()
        try:
            await serve(reader, writer)
        finally:
            sessions.append(time.monotonic() - began)

    return timed


ROW = Row(
    "F11",
    "one of eight sites says nothing, drips, never stops talking, resets",
    "0 lost, 0 duplicates; the other seven keep 95 % of their rate; every session ends within its "
    "deadlines; the Relay grows by less than 50 MB",
    0.25,
    _run,
)
