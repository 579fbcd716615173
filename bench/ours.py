"""emta as it is measured: the store and the four services, each a process of its own (`make run`)."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from bench.job import Job
from bench.measure import hand_over
from bench.messages import SENDER_DOMAIN
from emta.client import Client
from services.chassis import store as stores
from services.signer.keygen import make_key
from services.stack import SERVICES, Stack

FOLDER = Path("var/bench")  # results, and the services' logs
_LOOK_SECONDS = 0.1
_DAY_SECONDS = 86_400


@dataclass(frozen=True)
class Ours:
    """A running emta (bench.measure.Mta)."""

    stack: Stack
    client: Client
    key_record: str

    def hand_over(self) -> list[str]:
        """Options of bench.source."""
        return ["--relay", self.stack.addresses["relay"]]

    def processes(self) -> dict[str, int]:
        """The services and the store."""
        return self.stack.pids

    async def expects(self, run: str, messages: int) -> None:
        """Announce the delivery."""
        await self.client.open_delivery(run, to_deliver=messages)

    async def settled(self, run: str, accepted: int) -> None:
        """Wait until Feedback knows all that was sent."""
        while (await self.client.kpis(run)).sent < accepted:  # noqa: ASYNC110 -- it is polled for
            await asyncio.sleep(_LOOK_SECONDS)

    async def store_octets(self) -> int:
        """Memory that the store uses for its data."""
        async with stores.connect(self.stack.store_url, 60.0) as store:
            memory: dict[str, Any] = await store.info("memory")
        return int(memory["used_memory"])

    async def preload(self, job: Job, run: str) -> float:
        """Queue messages that are not due for a day; gives the octets that each takes in the store.

        What Feedback keeps of them is counted too: it uses the same store.
        """
        before = await self.store_octets()
        await hand_over(self, job, run, not_before=_DAY_SECONDS, lazily=True)
        await self.client.until_reported(run, job.messages)
        return (await self.store_octets() - before) / job.messages


@asynccontextmanager
async def ours(receiver: Mapping[str, int], job: Job, **relay: str) -> AsyncIterator[Ours]:
    """Start emta against a receiver (its ports) with the settings of a job, and of the Relay."""
    folder = Path(tempfile.mkdtemp(prefix="emta-bench-", dir="/var/tmp"))  # on disk, as the peers' queues
    record = make_key(SENDER_DOMAIN, "s1", folder / "dkim")
    try:
        with _log() as log:
            async with Stack(folder, settings(receiver, job, folder) | relay, log) as stack:
                addresses = stack.addresses
                async with Client(addresses["relay"], addresses["feedback"]) as client:
                    yield Ours(stack, client, record)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _log() -> IO[str]:
    FOLDER.mkdir(parents=True, exist_ok=True)
    return (FOLDER / "services.log").open("a")


def settings(receiver: Mapping[str, int], job: Job, folder: Path) -> dict[str, str]:
    """What differs from the defaults."""
    limit = job.messages_per_connection
    return {
        **({} if limit is None else {"EMTA_RELAY_MESSAGES_PER_CONNECTION": str(limit)}),
        **{f"EMTA_{name.upper()}_LISTEN": "127.0.0.1:0" for name in SERVICES},
        "EMTA_SIGNER_KEYS_DIR": str(folder / "dkim"),
        "EMTA_RELAY_RESOLVERS": f"127.0.0.1:{receiver['dns']}",
        "EMTA_RELAY_SMTP_PORT": str(receiver["smtp"]),
        "EMTA_RELAY_ALLOWED_NETWORKS": "127.0.0.0/8",
        # What is under way at the end of a run is of no interest.
        "EMTA_RELAY_DRAIN_SECONDS": "1",
    }
