"""What is accepted and settled is on replicas too, or it is not answered for."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from emta.problems import Problem
from services.chassis.settings import Acks
from services.chassis.store import ReplicasMissing, connect, store_problems
from services.relay.store.queue import Queue
from tests.integration.relay.test_queue import accept, claim, submitted
from tests.support import valkey


@pytest.fixture
async def primary(tmp_path: Path) -> AsyncIterator[valkey.Server]:
    async with valkey.server(tmp_path / "primary") as running:
        yield running


async def test_an_accepted_message_survives_its_primary(primary: valkey.Server, tmp_path: Path) -> None:
    async with valkey.replica_of(primary, tmp_path / "replica") as replica:
        async with connect(primary.url, 5.0) as store:
            queue = Queue(store, shards=1, outbox_max=10, acks=Acks(1))
            assert await accept(queue, submitted()) == [b""]
            primary.process.kill()
            await primary.process.wait()
        await replica.client.execute_command("REPLICAOF", "NO", "ONE")
        async with connect(replica.url, 5.0) as store:
            assert len(await claim(Queue(store, shards=1, outbox_max=10))) == 1


async def test_without_its_replica_nothing_is_accepted_and_nothing_lost(
    primary: valkey.Server, tmp_path: Path
) -> None:
    async with (
        valkey.replica_of(primary, tmp_path / "replica") as replica,
        connect(primary.url, 5.0) as store,
    ):
        queue = Queue(store, shards=1, outbox_max=10, acks=Acks(1, 0.2))
        replica.process.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(ReplicasMissing):
                await accept(queue, submitted())
            with pytest.raises(Problem) as caught, store_problems():
                await accept(queue, submitted())
        finally:
            replica.process.send_signal(signal.SIGCONT)

        assert caught.value.reason == "REPLICAS_MISSING"
        (again,) = await accept(queue, submitted())
        assert again != b""  # it had been queued, and is known
        assert len(await claim(queue)) == 1
