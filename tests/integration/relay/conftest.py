"""Fixtures of the Relay's integration tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from demo.receiver.dns_server import DnsServer
from demo.receiver.zone import Zone
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
