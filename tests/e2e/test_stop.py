"""A Relay that is told to stop while receivers hold it up."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from emta.client import Client
from services.chassis.settings import load_settings
from services.relay import app as relay
from services.relay.settings import RelaySettings
from tests.e2e.conftest import World, message
from tests.support.eventually import eventually


@pytest.fixture
def away() -> tuple[str, ...]:
    return ("relay",)


@pytest.fixture
def environ() -> dict[str, str]:
    return {
        "EMTA_RELAY_DRAIN_SECONDS": "0.1",
        "EMTA_RELAY_SHARDS": "1",
        "EMTA_RELAY_DOT_TIMEOUT_SECONDS": "600",
    }


async def test_what_a_receiver_holds_goes_to_the_next_relay_at_once_and_without_blame(
    world: World, store: Redis
) -> None:
    """Stopping is no death: were it one, the fifth would make the message Failed, cause internal."""

    async def held(count: int) -> bool:
        return world.receiver.journal.connections["alpha.example"] == count and await _leased(store)

    for number in range(1, 7):
        settings = load_settings(RelaySettings, world.settings["relay"])
        async with relay.running(settings, world.clock) as server:
            async with Client(server.address) as client:
                given = [message("hang-after-dot@alpha.example")]
                assert [result async for result in client.submit(given)]
            await eventually(lambda number=number: held(number), "the receiver to hold the message")

        assert not await store.exists("relay:{s00}:crashes")
        assert not await _leased(store)


async def _leased(store: Redis) -> bool:
    return bool(await store.zcard("relay:{s00}:leased"))
