"""A service with nothing in it but the chassis: bytes in, bytes out. Also run as a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from pydantic_settings import SettingsConfigDict

from emta.channel import MAX_RPC_BYTES
from emta.problems import Problem, invalid
from services.chassis import process
from services.chassis.rpc import Server
from services.chassis.settings import ServiceSettings

NAME = "emta.test.v1.EchoService"
PROBLEM = Problem(
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    "STORE_FULL",
    "the store is full \N{SNOWMAN}\r\n\x00",
    field="items[3]",
    metadata={"shard": "7"},
    retry_after=2.5,
)
SECRET = "hunter2"


class EchoSettings(ServiceSettings):
    """EMTA_DEMO_*: a name space that exists, and that no service has."""

    model_config = SettingsConfigDict(env_prefix="EMTA_DEMO_")


def _answer(request: bytes) -> bytes:
    if request == b"problem":
        raise PROBLEM
    if request == b"long problem":
        raise invalid("name", "TOO_LONG", "\N{OWL}" * 100_000)
    if request == b"defect":
        raise RuntimeError(f"a detail that is nobody's business: {SECRET}")
    if request == b"large":
        return bytes(MAX_RPC_BYTES - 1024)
    return request


class Echo:
    """Its RPCs: one of each shape that the contract uses, and one that waits."""

    def __init__(self) -> None:
        self.cancelled = asyncio.Event()

    async def unary(self, request: bytes, context: Any) -> bytes:
        return _answer(request)

    async def abort(self, request: bytes, context: Any) -> bytes:
        await context.abort(grpc.StatusCode.ABORTED, "by hand")
        return b""

    async def out(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        yield b"first"
        yield _answer(request)

    async def both(self, requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            yield _answer(request)

    async def wait(self, request: bytes, context: Any) -> AsyncIterator[bytes]:
        yield b"begun"
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()

    def add(self, server: Server) -> None:
        def add_to_server(echo: Echo, grpc_server: Any) -> None:
            handlers = {
                "Unary": grpc.unary_unary_rpc_method_handler(echo.unary),
                "Abort": grpc.unary_unary_rpc_method_handler(echo.abort),
                "Out": grpc.unary_stream_rpc_method_handler(echo.out),
                "Both": grpc.stream_stream_rpc_method_handler(echo.both),
                "Wait": grpc.unary_stream_rpc_method_handler(echo.wait),
            }
            generic = grpc.method_handlers_generic_handler(NAME, handlers)
            grpc_server.add_generic_rpc_handlers((generic,))

        server.add(add_to_server, self, NAME)


@asynccontextmanager
async def running(settings: EchoSettings) -> AsyncIterator[Server]:
    server = Server(
        "echo", settings.listen, reflection=settings.reflection, drain_seconds=settings.drain_seconds
    )
    Echo().add(server)
    async with server:
        yield server


if __name__ == "__main__":
    process.main("echo", EchoSettings, running)
