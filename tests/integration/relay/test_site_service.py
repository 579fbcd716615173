"""What an operator sees of sites: the RPCs, and the command over them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from redis.asyncio import Redis

from emta.client import Client
from emta.problems import Problem
from emta.relay.v1.site_service_pb2 import ListSitesRequest
from emta.relay.v1.site_service_pb2_grpc import SiteServiceStub, add_SiteServiceServicer_to_server
from services.chassis.rpc import Server
from services.relay.mx_rules import MxRules
from services.relay.site_service import SiteService
from services.relay.store.limits import LimitStore, Statement
from tests.support.clock import START_MS, ManualClock

RULES = MxRules.parse(
    [
        (
            "test.toml",
            b"""
            [default]
            connections = 10
            messages_per_connection = 100
            source = "a guess"

            [[rule]]
            name = "slow"
            mx = ["*.slow.example"]
            connections = 2
            rate = "12/min"
            source = "https://slow.example/postmaster"
            """,
        )
    ]
)
SLOW = RULES.named("slow")


@pytest.fixture
async def server(store: Redis, clock: ManualClock) -> AsyncIterator[Server]:
    server = Server("relay", "127.0.0.1:0", drain_seconds=0)
    service = SiteService(LimitStore(store), RULES, clock)
    server.add(add_SiteServiceServicer_to_server, service, "emta.relay.v1.SiteService")
    async with server:
        yield server


@pytest.fixture
async def client(server: Server) -> AsyncIterator[Client]:
    async with Client(relay=server.address) as client:
        yield client


async def hold(store: Redis, relay: str, statement: Statement, now_ms: int = START_MS) -> None:
    await LimitStore(store).reserve(
        relay, 1, [statement], now_ms=now_ms, lease_end_ms=now_ms + 30_000, turn_ms=10_000
    )


async def test_a_site_shows_what_all_relays_hold_together(store: Redis, client: Client) -> None:
    await hold(store, "one", Statement("slow", SLOW, held=0, wanted=1, more=1))
    await hold(store, "two", Statement("slow", SLOW, held=0, wanted=1))
    await hold(store, "two", Statement("mx.other.example", RULES.default, held=0, wanted=3))

    other, slow = [site async for site in client.sites()]

    assert (slow.name, slow.connections, slow.relays, slow.rule.connections) == ("slow", 2, 2, 2)
    assert slow.HasField("tokens")
    assert (slow.tokens, slow.ready_time.ToMilliseconds()) == (0, START_MS + 5_000)
    assert (other.name, other.connections, other.rule.name) == ("mx.other.example", 3, "default")
    assert not other.HasField("tokens")
    assert not other.HasField("ready_time")


async def test_leases_that_ended_are_not_shown_and_sites_are_forgotten_after_an_hour(
    store: Redis, client: Client, clock: ManualClock
) -> None:
    await hold(store, "one", Statement("slow", SLOW, held=0, wanted=2))

    clock.advance(31)
    (slow,) = [site async for site in client.sites()]
    clock.advance(3_600)

    assert (slow.connections, slow.relays, slow.tokens) == (0, 0, 1)
    assert [site async for site in client.sites()] == []


async def test_sites_come_in_pages_and_by_a_part_of_their_name(store: Redis, server: Server) -> None:
    for number in range(5):
        await hold(store, "one", Statement(f"mx{number}.example", RULES.default, held=0, wanted=1))
    async with grpc.aio.insecure_channel(server.address) as channel:
        stub = SiteServiceStub(channel)
        request, names = ListSitesRequest(page_size=2), []
        while True:
            page = await stub.ListSites(request)
            names.append([site.name for site in page.sites])
            if not page.next_page_token:
                break
            request.page_token = page.next_page_token
        only = await stub.ListSites(ListSitesRequest(name_contains="mx3"))

    assert names == [["mx0.example", "mx1.example"], ["mx2.example", "mx3.example"], ["mx4.example"]]
    assert [site.name for site in only.sites] == ["mx3.example"]


@pytest.mark.parametrize("size", [-1, 1_001])
async def test_a_page_has_a_size(server: Server, size: int) -> None:
    async with grpc.aio.insecure_channel(server.address) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await SiteServiceStub(channel).ListSites(ListSitesRequest(page_size=size))

    assert Problem.from_rpc_error(caught.value).reason == "PAGE_SIZE_INVALID"


async def test_the_rules_are_told_the_default_first(client: Client) -> None:
    default, slow = await client.mx_rules()

    assert (default.name, list(default.mx), default.connections) == ("default", [], 10)
    assert (slow.name, list(slow.mx)) == ("slow", ["*.slow.example"])
    assert slow.messages_per_second == pytest.approx(0.2)
    assert not default.HasField("messages_per_second")


async def emta(server: Server, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("emta"),
        *arguments,
        env=os.environ | {"EMTA_CLIENT_RELAY": server.address, "COLUMNS": "160", "TZ": "UTC"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_the_command_shows_sites_as_a_table_and_as_json(store: Redis, server: Server) -> None:
    await hold(store, "one", Statement("slow", SLOW, held=0, wanted=2, more=1))

    (row,) = [line for line in (await emta(server, "sites")).splitlines() if "slow" in line]
    (line,) = (await emta(server, "sites", "--json")).splitlines()

    assert [cell.strip() for cell in row.strip("│ ").split("│")] == [
        "slow", "slow", "2/2", "12/min", "00:00:05", "0", "100", "1"
    ]  # fmt: skip
    assert json.loads(line)["site"]["connections"] == 2


async def test_the_command_says_so_when_there_is_no_site(server: Server) -> None:
    assert "No mail went to any site within the last hour." in await emta(server, "sites")


async def test_the_command_shows_the_rules_with_their_sources(server: Server) -> None:
    table = await emta(server, "sites", "--rules")
    (line,) = (await emta(server, "sites", "slow", "--rules", "--json")).splitlines()

    assert "https://slow.example/postmaster" in table
    assert "(all others)" in table
    assert json.loads(line)["rule"]["messages_per_second"] == 0.2
