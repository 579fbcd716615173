"""gRPC as every service serves it: health, one error model, graceful stop."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from emta.channel import MAX_RPC_BYTES
from emta.problems import STATUS_DETAILS_KEY, Problem
from services.chassis.logs import Log

# Connections are renewed now and then, so that clients find pods that came later.
_OPTIONS: tuple[tuple[str, int], ...] = (
    ("grpc.max_send_message_length", MAX_RPC_BYTES),
    ("grpc.max_receive_message_length", MAX_RPC_BYTES),
    ("grpc.max_connection_age_ms", 600_000),
    ("grpc.max_connection_age_grace_ms", 300_000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
)
_READINESS_SECONDS = 2.0

Ready = Callable[[], Awaitable[bool]]


def tenant_of(context: grpc.aio.ServicerContext[Any, Any]) -> str:
    """Tenant of the caller, from its identity; "default" until identities exist."""
    return "default"


class Server:
    """`async with Server(...) as server:` serves until the block ends, then drains."""

    def __init__(
        self,
        service: str,
        listen: str,
        *,
        reflection: bool = False,
        drain_seconds: float = 30.0,
        ready: Ready | None = None,
        share_port: bool = False,
    ) -> None:
        self._log = Log(service)
        self._listen = listen
        self._reflection = reflection
        self._drain_seconds = drain_seconds
        self._ready = ready
        self._probing: asyncio.Task[None] | None = None
        self._names: list[str] = []
        self._health = health.aio.HealthServicer()
        options = (*_OPTIONS, ("grpc.so_reuseport", int(share_port)))
        self._grpc = grpc.aio.server(interceptors=[_Problems(self._log)], options=options)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._grpc)
        self.address = ""

    def add(self, add_to_server: Callable[[Any, grpc.aio.Server], None], servicer: Any, name: str) -> None:
        """Serve `servicer` under the full service name `name`."""
        add_to_server(servicer, self._grpc)
        self._names.append(name)

    async def __aenter__(self) -> Server:
        if self._reflection:
            names = (*self._names, health.SERVICE_NAME, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, self._grpc)
        try:
            port = self._grpc.add_insecure_port(self._listen)
        except RuntimeError:
            raise OSError(f"cannot listen on {self._listen}: is it in use?") from None
        self.address = f"{self._listen.rpartition(':')[0]}:{port}"
        await self._grpc.start()
        for name in ("", *self._names):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        await self._set_readiness()
        self._probing = asyncio.create_task(self._probe())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._probing is not None:
            self._probing.cancel()
        await self._health.enter_graceful_shutdown()
        await self._grpc.stop(self._drain_seconds)

    async def _probe(self) -> None:
        while True:
            await asyncio.sleep(_READINESS_SECONDS)
            await self._set_readiness()

    async def _set_readiness(self) -> None:
        ready = self._ready is None or await self._ready()
        status = health_pb2.HealthCheckResponse.ServingStatus
        await self._health.set("readiness", status.SERVING if ready else status.NOT_SERVING)


class _Problems(grpc.aio.ServerInterceptor):
    """Turns a Problem that a handler raises into the RPC's status, and anything else into INTERNAL."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def intercept_service(self, continuation: Any, details: Any) -> Any:
        handler = await continuation(details)
        if handler is None:
            return None
        method = details.method

        if handler.response_streaming:
            stream = handler.stream_stream or handler.unary_stream

            async def streaming(request: Any, context: Any) -> AsyncIterator[Any]:
                try:
                    responses = stream(request, context)
                    if inspect.isawaitable(responses):
                        # It writes by itself, as the health service's Watch does.
                        await responses
                        return
                    async for response in responses:
                        yield response
                except Exception as error:
                    await self._abort(error, method, context)

            if handler.request_streaming:
                return handler._replace(stream_stream=streaming)
            return handler._replace(unary_stream=streaming)

        async def unary(request: Any, context: Any) -> Any:
            try:
                return await handler.unary_unary(request, context)
            except Exception as error:
                await self._abort(error, method, context)

        return handler._replace(unary_unary=unary)

    async def _abort(self, error: Exception, method: str, context: Any) -> None:
        if isinstance(error, grpc.aio.AbortError):
            raise error
        if not isinstance(error, Problem):
            self._log.error("rpc_failed", trace=True, method=method)
            error = Problem(grpc.StatusCode.INTERNAL, "INTERNAL", "internal error; see the service's log")
        metadata = ((STATUS_DETAILS_KEY, error.to_status().SerializeToString()),)
        await context.abort(error.code, error.message, metadata)
