"""A client of a Cluster that never repeats a command by itself, and whose errors are RedisErrors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.asyncio import RedisCluster
from redis.asyncio.cluster import ClusterNode, PipelineCommand
from redis.exceptions import (
    ClusterDownError,
    ConnectionError,
    MovedError,
    RedisClusterException,
    TimeoutError,
)

from services.chassis.connection import hardened
from services.chassis.store_url import StoreUrl

# A key that moves twice while it is looked for will be found next time.
_LOOKS = 3


class Cluster(RedisCluster):
    """redis-py's client, and what it lacks."""

    _failed: str | None = None

    @classmethod
    def at(cls, url: StoreUrl, **options: Any) -> Cluster:
        """Open a client."""
        nodes = [ClusterNode(host, port) for host, port in url.others]
        client = cls.from_url(url.url, startup_nodes=nodes, **options)
        assert isinstance(client, cls)
        connection_class: Any = hardened(client.connection_kwargs["connection_class"])
        client.connection_kwargs["connection_class"] = connection_class
        for node in client.startup_nodes:
            node.connection_class = connection_class
        return client

    async def initialize(self, *args: Any, **kwargs: Any) -> RedisCluster:
        """Ask the nodes which of them has what. Raises ConnectionError."""
        try:
            return await super().initialize(*args, **kwargs)
        except RedisClusterException as error:
            # Not a RedisError, and nobody who waits for the store to come back expects it.
            raise ConnectionError(str(error)) from None

    async def aclose(self) -> None:
        """Close all connections, also when it is not known at the moment who has what."""
        await super().aclose()
        await self.nodes_manager.aclose()
        await self.nodes_manager.aclose("startup_nodes")

    async def in_order(self, key: str, commands: Sequence[Sequence[Any]]) -> list[Any]:
        """Send commands for keys beside `key` over one connection; gives the answers, errors among them.

        Where the keys have moved, all are sent again. ASK is not followed: while a slot is moved key by
        key, a script would find some of its keys on either side and take the others for missing.
        """
        for _ in range(_LOOKS):
            if self._initialize:
                await self.initialize(last_failed_node_name=self._failed)
            queued = [PipelineCommand(number, *command) for number, command in enumerate(commands)]
            node = self.nodes_manager.get_node_from_slot(self.keyslot(key))
            try:
                await node.execute_pipeline(queued)
            except (ConnectionError, TimeoutError):
                self._look_again(node)
                raise
            answers = [command.result for command in queued]
            for answer in answers:
                if isinstance(answer, (ConnectionError, TimeoutError, ClusterDownError)):
                    self._look_again(node)
                    raise answer
            moved = next((answer for answer in answers if isinstance(answer, MovedError)), None)
            if moved is None:
                break
            await self.nodes_manager.move_slot(moved)
        return answers

    def _look_again(self, failed: ClusterNode) -> None:
        """Have the next call ask who has what, `failed` last: else all would wait for it again."""
        self._failed = failed.name
        self.nodes_manager.move_node_to_end_of_cached_nodes(failed.name)
        self._initialize = True
