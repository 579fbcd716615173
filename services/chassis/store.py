"""The store client: Valkey or Redis, external or embedded, through one code path."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from importlib import resources
from typing import Any, cast

import grpc
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, OutOfMemoryError, ReadOnlyError, RedisError

from emta.problems import Problem, unavailable
from services.chassis.cluster import Cluster
from services.chassis.connection import hardened
from services.chassis.embedded_store import EmbeddedStore
from services.chassis.settings import NO_ACKS, Acks, StoreSettings
from services.chassis.store_url import StoreUrl

Value = bytes | str | int | float


_TOUCH = '#!lua flags=allow-oom\nredis.call("SET", KEYS[1], 1)'


class ReplicasMissing(RedisError):
    """Fewer replicas than asked for have what was written; the primary has it."""


def connect(url: str, timeout_seconds: float) -> Redis:
    """Open a client that never repeats a command by itself: a lost answer is not a lost write.

    For a Cluster it is a client of the same methods, whatever its type says here.
    """
    options: dict[str, Any] = {
        "socket_timeout": timeout_seconds,
        "socket_connect_timeout": timeout_seconds,
        "retry": Retry(NoBackoff(), 0),
    }
    where = StoreUrl.parse(url)
    if where.is_cluster:
        return cast(Redis, Cluster.at(where, **options))
    client = Redis.from_url(where.url, retry_on_error=[], **options)
    pool = client.connection_pool
    pool.connection_class = hardened(pool.connection_class)
    return client


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


async def replicated(store: Redis, keys: Iterable[str], acks: Acks) -> None:
    """Return once replicas have what this process had seen written beside `keys` (key prefixes of ours).

    To know it of a write for sure, run its script with these `acks`: between the two, another server may
    have become the primary. Raises ReplicasMissing, RedisError.
    """
    for key in keys if acks.replicas else ():
        await _acknowledged(store, key, [], acks)


def is_cluster(store: Redis) -> bool:
    """Whether parts of a store may be away while others answer."""
    return _cluster(store) is not None


@contextmanager
def store_problems() -> Iterator[None]:
    """Turn what the store client raises into Problems: STORE_FULL, REPLICAS_MISSING, STORE_UNAVAILABLE."""
    try:
        yield
    except RedisError as error:
        raise store_problem(error) from None


def store_problem(error: RedisError) -> Problem:
    """Say what an error of the store client means to a caller."""
    if isinstance(error, OutOfMemoryError):
        return Problem(
            grpc.StatusCode.RESOURCE_EXHAUSTED, "STORE_FULL", "the store is full", retry_after=5.0
        )
    if isinstance(error, ReplicasMissing):
        return unavailable("REPLICAS_MISSING", "too few of the store's replicas answer; submit again")
    return unavailable("STORE_UNAVAILABLE", f"the store does not answer ({type(error).__name__})")


class Script:
    """A server-side script: a .lua file of a store package. All arguments are explicit."""

    def __init__(self, package: str, name: str) -> None:
        self._source = resources.files(package).joinpath(f"{name}.lua").read_text()
        # The store knows scripts by their SHA-1.
        self._sha = hashlib.sha1(self._source.encode(), usedforsecurity=False).hexdigest()

    async def __call__(
        self, store: Redis, keys: Sequence[str], args: Sequence[Value], acks: Acks = NO_ACKS
    ) -> Any:
        """Run it once, atomically. A store that lost its scripts is given this one again.

        With `acks` it must be safe to repeat. Raises ReplicasMissing: then it has run.
        """
        (answer,) = _good(await self._run(store, [(keys, args)], acks))
        return answer

    async def each(
        self,
        store: Redis,
        calls: Sequence[tuple[str, Sequence[Value]]],
        acks: Acks = NO_ACKS,
        *,
        give_errors: bool = False,
    ) -> list[Any]:
        """Run it once for each (key, arguments), each run atomic by itself, in one round trip.

        give_errors: of runs that fail, also because their node of a Cluster does not answer, give the
        RedisErrors among the answers.
        """
        runs = [([key], args) for key, args in calls]
        if not runs:
            return []
        if _cluster(store) is None:
            answers = await self._run(store, runs, acks)
        else:
            running = (self._run(store, [run], acks) for run in runs)
            gathered = await asyncio.gather(*running, return_exceptions=True)
            answers = [answer if isinstance(answer, BaseException) else answer[0] for answer in gathered]
        return _good(answers, but=RedisError if give_errors else ())

    async def _run(self, store: Redis, runs: Sequence[_Run], acks: Acks) -> list[Any]:
        """Run it on one node; gives the answers, errors among them."""
        first_key = runs[0][0][0]
        answers = await _acknowledged(
            store, first_key, [("EVALSHA", self._sha, *_flat(r)) for r in runs], acks
        )
        # Those did not run: to send them again with their source is no repetition.
        unknown = [number for number, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:
            commands = [("EVAL", self._source, *_flat(runs[number])) for number in unknown]
            for number, answer in zip(
                unknown, await _acknowledged(store, first_key, commands, acks), strict=True
            ):
                answers[number] = answer
        return answers


_Run = tuple[Sequence[str], Sequence[Value]]


def _good(answers: list[Any], *, but: type[Exception] | tuple[()] = ()) -> list[Any]:
    """Give answers back; raises the first error among them that is not allowed there."""
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, but):
            raise answer
    return answers


def _flat(run: _Run) -> list[Value]:
    keys, args = run
    return [len(keys), *keys, *args]


async def _acknowledged(
    store: Redis, key: str, commands: Sequence[Sequence[Value]], acks: Acks
) -> list[Any]:
    """Send commands for keys beside `key`, and wait on the same connection until replicas have them.

    WAIT looks at its own connection's last write only. That is a write of ours, for the commands may write
    nothing when they are repeated: `key` and "replicated".
    """
    if not acks.replicas:
        return await _in_order(store, key, commands)
    touching: list[Sequence[Value]] = [
        ("EVAL", _TOUCH, 1, f"{key}replicated"),
        ("WAIT", acks.replicas, round(acks.wait_seconds * 1000)),
    ]
    *answers, touched, count = await _in_order(store, key, [*commands, *touching])
    if answers and all(isinstance(answer, NoScriptError) for answer in answers):
        # Nothing was written.
        return answers
    for answer in (touched, count):
        if isinstance(answer, Exception):
            raise answer
    if count < acks.replicas:
        raise ReplicasMissing(f"{count} of {acks.replicas} replicas answered")
    return answers


def _cluster(store: object) -> Cluster | None:
    return store if isinstance(store, Cluster) else None


async def _in_order(store: Redis, key: str, commands: Sequence[Sequence[Value]]) -> list[Any]:
    """Send commands over one connection in one go; gives their answers, errors among them."""
    cluster = _cluster(store)
    if cluster is not None:
        return await cluster.in_order(key, commands)
    async with store.pipeline(transaction=False) as pipeline:
        for command in commands:
            pipeline.execute_command(*command)
        answers: list[Any] = await pipeline.execute(raise_on_error=False)
    if any(isinstance(answer, ReadOnlyError) for answer in answers):
        # It was the primary when we connected. Where its name leads now is asked anew.
        await store.connection_pool.disconnect(inuse_connections=False)
    return answers
