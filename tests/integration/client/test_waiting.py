"""Who waits for a service is told so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from emta import peer, submission
from emta.client import Client
from emta.problems import Problem
from emta.relay.v1.message_pb2 import Message
from tests.support.eventually import eventually


@asynccontextmanager
async def hanging() -> AsyncIterator[str]:
    """Give the address of a server that takes connections and never says a word."""
    connections: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, writer: connections.append(writer), "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"{host}:{port}"
    finally:
        for each in connections:
            each.close()
        server.close()


async def ask(client: Client) -> None:
    await client.kpis("spring")


async def watch(client: Client) -> None:
    async for _ in client.watch("spring"):
        pass


async def submit(client: Client) -> None:
    async for _ in client.submit([Message(message_id="1")]):
        pass


@pytest.mark.parametrize(("call", "name"), [(ask, "Feedback"), (watch, "Feedback"), (submit, "Relay")])
async def test_a_service_that_hangs_is_named(call: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer, "LATE_SECONDS", 0.0)
    told: list[str] = []
    async with hanging() as address, Client(address, address, address, on_wait=told.append) as client:
        await until_told(call(client), told)

    assert told == [f"waiting for {name} at {address} ..."]


@pytest.mark.parametrize(("call", "name"), [(watch, "Feedback"), (submit, "Relay")])
async def test_a_service_that_is_away_is_named_once_while_it_is_tried_again(
    call: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer, "_AGAIN_SECONDS", 0.1)
    for module in (peer, submission):
        monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(submission, "LATE_SECONDS", 0.0)
    told: list[str] = []
    nobody = "127.0.0.1:1"
    async with Client(nobody, nobody, nobody, on_wait=told.append) as client:
        with pytest.raises(Problem):
            await call(client)

    assert told == [f"{name} at {nobody} does not answer: connection refused; trying again"]


async def until_told(call: Coroutine[Any, Any, None], told: list[str]) -> None:
    calling = asyncio.create_task(call)

    async def is_told() -> bool:
        return bool(told)

    try:
        await eventually(is_told, "a word on who is waited for")
    finally:
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
