"""The store client: Valkey or Redis, external or embedded, through one code path."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from importlib import resources
from typing import Any

import grpc
from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, OutOfMemoryError, RedisError

from emta.problems import Problem, unavailable
from services.chassis.embedded_store import EmbeddedStore
from services.chassis.settings import StoreSettings

Value = bytes | str | int | float


def connect(url: str, timeout_seconds: float) -> Redis:
    """Open a client that never repeats a command by itself: a lost answer is not a lost write."""
    return Redis.from_url(
        url.replace("valkey://", "redis://", 1),
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        retry=Retry(NoBackoff(), 0),
        retry_on_error=[],
    )


@asynccontextmanager
async def open_store(settings: StoreSettings, name: str) -> AsyncIterator[Redis]:
    """Open the store that the settings name; without a URL, an embedded one in data_dir/<name>."""
    if settings.redis_url is not None:
        async with connect(settings.redis_url.get_secret_value(), settings.store_timeout_seconds) as client:
            yield client
        return
    async with (
        EmbeddedStore(settings.data_dir / name) as embedded,
        connect(embedded.url, settings.store_timeout_seconds) as client,
    ):
        yield client


async def answers(store: Redis) -> bool:
    """Whether the store answers now."""
    try:
        return bool(await store.ping())
    except RedisError:
        return False


@contextmanager
def store_problems() -> Iterator[None]:
    """Turn what the store client raises into Problems: STORE_FULL, STORE_UNAVAILABLE."""
    try:
        yield
    except OutOfMemoryError:
        raise Problem(
            grpc.StatusCode.RESOURCE_EXHAUSTED, "STORE_FULL", "the store is full", retry_after=5.0
        ) from None
    except RedisError as error:
        raise unavailable(
            "STORE_UNAVAILABLE", f"the store does not answer ({type(error).__name__})"
        ) from None


class Script:
    """A server-side script: a .lua file of a store package. All arguments are explicit."""

    def __init__(self, package: str, name: str) -> None:
        self._source = resources.files(package).joinpath(f"{name}.lua").read_text()
        # The store knows scripts by their SHA-1.
        self._sha = hashlib.sha1(self._source.encode(), usedforsecurity=False).hexdigest()

    async def __call__(self, store: Redis, keys: Sequence[str], args: Sequence[Value]) -> Any:
        """Run it once, atomically. A store that lost its scripts is given this one again."""
        try:
            return await store.evalsha(self._sha, len(keys), *keys, *args)
        except NoScriptError:
            # The script did not run: to send it again with its source is no repetition.
            return await store.eval(self._source, len(keys), *keys, *args)

    def queue(self, pipeline: Pipeline, keys: Sequence[str], args: Sequence[Value]) -> None:
        """Add it to a pipeline, source and all, since a pipeline cannot react to a missing script."""
        pipeline.eval(self._source, len(keys), *keys, *args)
