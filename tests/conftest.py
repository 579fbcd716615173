"""Fixtures of all tests: one real Valkey for the session, emptied for every test."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from services.chassis import store as stores
from services.chassis.embedded_store import EmbeddedStore
from tests.support import valkey
from tests.support.clock import ManualClock
from tests.support.debian import require_packages


def pytest_configure() -> None:
    """Let processes heed Ctrl-C as on a terminal, also where the tests run in the background of a script.

    There SIGINT is ignored, which processes inherit. A handler they do not. Changing it in the child
    (preexec_fn) would need a true fork, which gRPC's threads do not survive: some children crashed.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _debian_packages(request: pytest.FixtureRequest) -> None:
    marker = request.node.get_closest_marker("debian")
    if marker is not None:
        require_packages(*marker.args)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture(scope="session")
def store_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of the session's Valkey, which runs beside the tests' event loops."""
    folder: Path = tmp_path_factory.mktemp("store")
    loop = asyncio.new_event_loop()
    embedded = EmbeddedStore(folder)
    loop.run_until_complete(embedded.__aenter__())
    yield embedded.url
    loop.run_until_complete(embedded.__aexit__(None, None, None))
    loop.close()


@pytest.fixture(scope="session")
def cluster_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a Cluster of three nodes."""
    folder: Path = tmp_path_factory.mktemp("cluster")
    loop = asyncio.new_event_loop()
    running = valkey.cluster(folder)
    yield loop.run_until_complete(running.__aenter__()).url
    loop.run_until_complete(running.__aexit__(None, None, None))
    loop.close()


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[Redis]:
    """An empty store."""
    async with stores.connect(store_url, 5.0) as client:
        await client.flushall()
        yield client


@pytest.fixture(params=["store_url", "cluster_url"])
def any_store_url(request: pytest.FixtureRequest) -> str:
    """One server, and a Cluster: both are worked with in the same way."""
    url: str = request.getfixturevalue(request.param)
    return url


@pytest.fixture
async def any_store(any_store_url: str) -> AsyncIterator[Redis]:
    """The same, empty."""
    async with stores.connect(any_store_url, 5.0) as client:
        await client.flushall()
        yield client
