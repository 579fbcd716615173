"""What is accepted and settled is on replicas too, or it is not answered for."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from emta.problems import Problem
from services.chassis.settings import Acks
from services.chassis.store import ReplicasMissing, connect, store_problems
from tests.integration.relay.relay_store import RelayStore, submitted
from tests.support import valkey


@pytest.fixture
async def primary(tmp_path: Path) -> AsyncIterator[valkey.Server]:
    async with valkey.server(tmp_path / "primary") as running:
        yield running


async def test_an_accepted_message_survives_its_primary(primary: valkey.Server, tmp_path: Path) -> None:
    async with valkey.replica_of(primary, tmp_path / "replica") as replica:
        async with connect(primary.url, 5.0) as store:
            relay = RelayStore(store, acks=Acks(1))
            assert await relay.accept(submitted()) == [b""]
            primary.process.kill()
            await primary.process.wait()
        await replica.client.execute_command("REPLICAOF", "NO", "ONE")
        async with connect(replica.url, 5.0) as store:
            assert len(await RelayStore(store).claim()) == 1


async def test_without_its_replica_nothing_is_accepted_and_nothing_lost(
    primary: valkey.Server, tmp_path: Path
) -> None:
    async with (
        valkey.replica_of(primary, tmp_path / "replica") as replica,
        connect(primary.url, 5.0) as store,
    ):
        relay = RelayStore(store, acks=Acks(1, 0.2))
        replica.process.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(ReplicasMissing):
                await relay.accept(submitted())
            with pytest.raises(Problem) as caught, store_problems():
                await relay.accept(submitted())
        finally:
            replica.process.send_signal(signal.SIGCONT)

        assert caught.value.reason == "REPLICAS_MISSING"
        (again,) = await relay.accept(submitted())
        assert again != b""  # it had been queued, and is known
        assert len(await relay.claim()) == 1
