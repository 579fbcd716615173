"""The store client: Valkey or Redis, external or embedded, through one code path."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from importlib import resources
from typing import Any

import grpc
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.connection import HiredisRespSerializer
from redis.exceptions import NoScriptError, OutOfMemoryError, RedisError

from emta.problems import Problem, unavailable
from services.chassis.embedded_store import EmbeddedStore
from services.chassis.settings import StoreSettings

Value = bytes | str | int | float


def connect(url: str, timeout_seconds: float) -> Redis:
    """Open a client that never repeats a command by itself: a lost answer is not a lost write."""
    client = Redis.from_url(
        url.replace("valkey://", "redis://", 1),
        socket_timeout=timeout_seconds,
        socket_connect_timeout=timeout_seconds,
        retry=Retry(NoBackoff(), 0),
        retry_on_error=[],
    )
    pool = client.connection_pool
    pool.connection_class = _packing_in_c(pool.connection_class)
    return client


def _packing_in_c(connection_class: type[AbstractConnection]) -> type[AbstractConnection]:
    """redis-py's asynchronous connections write commands in Python, at five times the cost of hiredis."""
    return type(
        connection_class.__name__,
        (connection_class,),
        {"pack_command": lambda self, *args: HiredisRespSerializer().pack(*args)},
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

    async def each(self, store: Redis, calls: Sequence[tuple[str, Sequence[Value]]]) -> list[Any]:
        """Run it once for each (key, arguments), each run atomic by itself, in one round trip."""
        if len(calls) == 1:
            return [await self(store, [calls[0][0]], calls[0][1])]
        async with store.pipeline(transaction=False) as pipeline:
            for key, args in calls:
                pipeline.evalsha(self._sha, 1, key, *args)
            answers = await pipeline.execute(raise_on_error=False)
        for number, answer in enumerate(answers):
            if isinstance(answer, NoScriptError):
                key, args = calls[number]
                answers[number] = await self(store, [key], args)
            elif isinstance(answer, Exception):
                raise answer
        return list(answers)
