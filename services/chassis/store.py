"""The store client: Valkey or Redis, external or embedded, through one code path."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from importlib import resources
from typing import Any, cast
from urllib.parse import SplitResult, urlsplit

import grpc
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.cluster import ClusterNode, PipelineCommand
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.connection import HiredisRespSerializer
from redis.exceptions import ConnectionError, NoScriptError, OutOfMemoryError, RedisError

from emta.problems import Problem, unavailable
from services.chassis.embedded_store import EmbeddedStore
from services.chassis.settings import StoreSettings

Value = bytes | str | int | float


class ReplicasMissing(RedisError):
    """Fewer replicas than asked for have what was written; the primary has it."""


def connect(url: str, timeout_seconds: float) -> Redis:
    """Open a client that never repeats a command by itself: a lost answer is not a lost write.

    For a Cluster it is a client of the same methods, whatever its type says here.
    """
    url = url.replace("valkey", "redis", 1) if url.startswith("valkey") else url
    options: dict[str, Any] = {
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
        "retry": Retry(NoBackoff(), 0),
    }
    parts = urlsplit(url)
    if parts.scheme.endswith("+cluster"):
        return cast(Redis, _connect_cluster(parts, options))
    client = Redis.from_url(url, retry_on_error=[], **options)
    pool = client.connection_pool
    pool.connection_class = _packing_in_c(pool.connection_class)
    return client


def _connect_cluster(parts: SplitResult, options: dict[str, Any]) -> RedisCluster:
    first, *others = parts.netloc.split(",")
    nodes = [urlsplit(f"redis://{node}") for node in others]
    return RedisCluster.from_url(
        f"{parts.scheme.removesuffix('+cluster')}://{first}",
        startup_nodes=[ClusterNode(node.hostname or "", node.port or 6379) for node in nodes],
        **options,
    )


def _cluster(store: object) -> RedisCluster | None:
    return store if isinstance(store, RedisCluster) else None


def _packing_in_c(connection_class: type[AbstractConnection]) -> type[AbstractConnection]:
    """redis-py's asynchronous connections write commands in Python, at five times the cost of hiredis."""

    async def send_packed_command(self: Any, *args: Any, **kwargs: Any) -> None:
        try:
            await connection_class.send_packed_command(self, *args, **kwargs)
        except RuntimeError as error:
            # uvloop's way to say that the connection was reset.
            await self.disconnect(nowait=True)
            raise ConnectionError(str(error)) from None

    return type(
        connection_class.__name__,
        (connection_class,),
        {
            "pack_command": lambda self, *args: HiredisRespSerializer().pack(*args),
            "send_packed_command": send_packed_command,
        },
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


async def replicated(store: Redis, keys: Iterable[str], replicas: int, timeout_seconds: float) -> None:
    """Return once so many replicas have what was written to the primaries of `keys` before.

    Each key, of ours alone, is written once more: WAIT looks at the writes of its own connection only, and
    a replica that has a later write has all earlier ones. Raises ReplicasMissing, RedisError.
    """
    cluster = _cluster(store)
    for key in keys:
        if cluster is not None:
            commands = [
                PipelineCommand(0, "SET", key, 1),
                PipelineCommand(1, "WAIT", replicas, round(timeout_seconds * 1000)),
            ]
            node = cluster.get_node_from_key(key)
            if node is None:
                raise ReplicasMissing("the Cluster has nobody for a key")
            await node.execute_pipeline(commands)
            answer = commands[1].result
        else:
            async with store.pipeline(transaction=False) as pipeline:
                pipeline.set(key, 1)
                pipeline.wait(replicas, round(timeout_seconds * 1000))
                _, answer = await pipeline.execute()
        if isinstance(answer, Exception):
            raise answer
        if answer < replicas:
            raise ReplicasMissing(f"{answer} of {replicas} replicas answered")


@contextmanager
def store_problems() -> Iterator[None]:
    """Turn what the store client raises into Problems: STORE_FULL, STORE_UNAVAILABLE."""
    try:
        yield
    except OutOfMemoryError:
        raise Problem(
            grpc.StatusCode.RESOURCE_EXHAUSTED, "STORE_FULL", "the store is full", retry_after=5.0
        ) from None
    except ReplicasMissing:
        raise unavailable(
            "REPLICAS_MISSING", "too few of the store's replicas answer; submit again", retry_after=1.0
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
        if len(calls) == 1 or _cluster(store):
            return list(await asyncio.gather(*(self(store, [key], args) for key, args in calls)))
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
