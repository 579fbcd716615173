"""The Signer, put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from emta.signer.v1.signer_service_pb2_grpc import add_SignerServiceServicer_to_server
from services.chassis.clock import Clock, SystemClock
from services.chassis.rpc import Server
from services.signer.keys import KeyStore
from services.signer.server import SignerService
from services.signer.settings import SignerSettings


@asynccontextmanager
async def running(settings: SignerSettings, clock: Clock | None = None) -> AsyncIterator[Server]:
    """Serve until the block ends."""
    clock = clock or SystemClock()
    keys = KeyStore(settings.keys_dir, settings.min_bits)
    keys.refresh(clock.now_ms())
    service = SignerService(keys, clock, settings.threads, settings.signature_days)
    server = Server(
        "signer", settings.listen, reflection=settings.reflection, drain_seconds=settings.drain_seconds
    )
    server.add(add_SignerServiceServicer_to_server, service, "emta.signer.v1.SignerService")
    refreshing = asyncio.create_task(_keep_fresh(keys, clock, settings.reload_seconds))
    try:
        async with server:
            yield server
    finally:
        refreshing.cancel()
        service.close()


async def _keep_fresh(keys: KeyStore, clock: Clock, seconds: float) -> None:
    """Follow the key folder. A load takes 40 ms of CPU: in a thread, away from the RPCs."""
    while True:
        await asyncio.sleep(seconds)
        await asyncio.to_thread(keys.refresh, clock.now_ms())
