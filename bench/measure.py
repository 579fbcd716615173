"""One measurement: the source hands over, the receiver counts, the clocks are read."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import dkim

from bench import meter
from bench.child import BenchError, Child
from bench.job import Job

# No message for so long: there will be none.
_PATIENCE_SECONDS = 90.0
_LOOK_SECONDS = 0.1


class Mta(Protocol):
    """What is measured: emta, or a peer."""

    @property
    def key_record(self) -> str:
        """TXT record of the key that it signs with."""
        ...

    def hand_over(self) -> list[str]:
        """Where the source hands over: options of bench.source."""
        ...

    def processes(self) -> dict[str, int]:
        """Process ids by name; their children belong to them."""
        ...

    async def expects(self, run: str, messages: int) -> None:
        """Get ready for a run of so many messages."""
        ...

    async def settled(self, run: str, accepted: int) -> None:
        """Wait until all is done that follows a run of whose messages `accepted` were taken."""
        ...


@dataclass(frozen=True)
class Result:
    """Figures of one run. CPU by process, us a message; peak RSS in MiB; `others_cores` is what the rest of
    the machine took meanwhile; `intake_per_second` is how fast the messages were handed over."""

    messages: int
    messages_per_second: float
    intake_per_second: float
    cpu_us: dict[str, float]
    peak_rss_mb: dict[str, float]
    others_cores: float
    connections: int
    tls: int
    put_off: int
    duplicates: int
    signatures_verified: int

    @property
    def cpu_us_total(self) -> float:
        """CPU of all its processes, us a message."""
        return sum(self.cpu_us.values())

    def as_dict(self) -> dict[str, Any]:
        """Give plain data."""
        return asdict(self)


@dataclass(frozen=True)
class Handed:
    """When the source began and ended (CLOCK_MONOTONIC)."""

    began: float
    ended: float


async def hand_over(mta: Mta, job: Job, run: str, *, not_before: int = 0, lazily: bool = False) -> Handed:
    """Hand a job's messages over; with `not_before` (seconds) none of them leaves."""
    options = [*job.source_options(run), *mta.hand_over(), "--not-before", str(not_before)]
    await mta.expects(run, job.messages)
    async with Child("bench.source", *options, *["--lazily"] * lazily) as source:
        await source.hear()
        return _handed(await source.ask("go"))


async def measure(mta: Mta, job: Job, receiver: Child, run: str) -> Result:
    """Do a job, and read the clocks. Raises BenchError when it is not done, or not done right."""
    await receiver.ask("reset")
    await mta.expects(run, job.messages)
    async with Child("bench.source", *job.source_options(run), *mta.hand_over()) as source:
        await source.hear()
        cpu, elsewhere, began = _cpu(mta), _elsewhere(), time.monotonic()
        source.say("go")
        handing = asyncio.create_task(source.hear())
        seen = await _until_seen(receiver, job.counted, handing)
        others_cores = (_elsewhere() - elsewhere) / (time.monotonic() - began)
        handed = _handed(await handing)
    await mta.settled(run, seen["accepted"])
    used = {name: after - cpu[name] for name, after in _cpu(mta).items()}
    stats = await receiver.ask("stats")
    return Result(
        messages=job.messages,
        messages_per_second=job.counted / (seen["last"] - handed.began),
        intake_per_second=job.messages / (handed.ended - handed.began),
        cpu_us={name: seconds / job.messages * 1e6 for name, seconds in used.items()},
        peak_rss_mb={name: meter.peak_rss_mb(pid) for name, pid in mta.processes().items()},
        others_cores=max(0.0, others_cores),
        connections=stats["connections"],
        tls=stats["tls"],
        put_off=stats["put_off"],
        duplicates=stats["duplicates"],
        signatures_verified=_verify((await receiver.ask("samples"))["samples"], mta.key_record),
    )


def _handed(heard: dict[str, Any]) -> Handed:
    if heard["refused"]:
        raise BenchError(f"{heard['refused']} messages were refused at acceptance")
    return Handed(heard["began"], heard["ended"])


def _cpu(mta: Mta) -> dict[str, float]:
    return {name: meter.cpu_seconds(pid) for name, pid in mta.processes().items()}


def _elsewhere() -> float:
    """CPU that the machine has spent outside of this process and its children, seconds."""
    return meter.busy_seconds() - meter.cpu_seconds(os.getpid())


async def _until_seen(
    receiver: Child, counted: int, handing: asyncio.Task[dict[str, Any]]
) -> dict[str, Any]:
    seen, patience = 0, time.monotonic() + _PATIENCE_SECONDS
    while True:
        stats = await receiver.ask("stats")
        if stats["seen"] >= counted:
            return stats
        if stats["seen"] > seen:
            seen, patience = stats["seen"], time.monotonic() + _PATIENCE_SECONDS
        if time.monotonic() > patience:
            raise BenchError(f"{seen:,} of {counted:,} came, then none for {_PATIENCE_SECONDS:.0f} s")
        if handing.done():
            handing.result()  # a source that has failed
        await asyncio.sleep(_LOOK_SECONDS)


def _verify(samples: list[str], record: str) -> int:
    """Check the signatures of samples with dkimpy, which is not ours; gives their number."""
    for sample in samples:
        content = sample.encode("latin-1")
        if not dkim.verify(content, dnsfunc=lambda name, timeout=5: record.encode()):
            raise BenchError("a message arrived without a valid signature")
    return len(samples)
