"""Fixtures of the Relay's integration tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack

import pytest
import uvloop
from redis.asyncio import Redis

from demo.receiver.dns_server import DnsServer
from demo.receiver.zone import Zone
from tests.integration.relay.relay_store import RelayStore
from tests.integration.relay.scripted_world import World
from tests.support.clock import ManualClock


@pytest.fixture
async def world(clock: ManualClock) -> AsyncIterator[World]:
    zone = Zone()
    dns = DnsServer(zone)
    await dns.start()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(dns.close)
        yield World(zone, dns, clock, stack)


@pytest.fixture
def relay(any_store: Redis) -> RelayStore:
    return RelayStore(any_store)


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Have the tests of sessions run on both loops: their transports differ in what matters there."""
    loops: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if item.path.name.startswith(("test_connector", "test_session", "test_wire", "test_guards")):
        loops["uvloop"] = uvloop.new_event_loop
    return loops
