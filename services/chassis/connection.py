"""A connection to the store, as redis-py makes it, made faster and sounder."""

from __future__ import annotations

from typing import Any

from redis.asyncio.connection import AbstractConnection
from redis.connection import HiredisRespSerializer
from redis.exceptions import ConnectionError


def hardened(connection_class: type[AbstractConnection]) -> type[AbstractConnection]:
    """Extend a class of connections.

    They write commands in C: redis-py's asynchronous connections do it in Python, at five times the cost of
    hiredis. And a reset connection is a ConnectionError on every event loop.
    """

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
