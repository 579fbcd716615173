"""The outage guard and its store: shared by all Bounces, away, slow, and under hostile input."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import grpc
import pytest
from redis.asyncio import Redis

from emta.bounce.v1.acceptance_service_pb2 import ReportAcceptancesRequest, SiteAcceptances
from emta.bounce.v1.acceptance_service_pb2_grpc import AcceptanceServiceStub
from emta.bounce.v1.bounce_service_pb2 import QualifyRepliesItem, QualifyRepliesRequest
from emta.bounce.v1.bounce_service_pb2_grpc import BounceServiceStub
from emta.bounce.v1.incident_service_pb2 import (
    CloseIncidentRequest,
    GetIncidentRequest,
    IncidentEnd,
    ListIncidentsRequest,
)
from emta.bounce.v1.incident_service_pb2_grpc import IncidentServiceStub
from emta.bounce.v1.qualification_pb2 import FailureType
from emta.channel import connect
from emta.problems import Problem
from services.bounce.app import running
from services.bounce.settings import BounceSettings
from services.bounce.store.guard import Answers, GuardStore
from services.chassis.settings import load_settings
from tests.integration.bounce.conversation import USER_UNKNOWN, Relay, key, people
from tests.support import valkey
from tests.support.clock import START_MS, ManualClock
from tests.support.eventually import eventually

HARD, SOFT = FailureType.FAILURE_TYPE_HARD, FailureType.FAILURE_TYPE_SOFT
DAY_MS = 86_400_000


@asynccontextmanager
async def bounce(url: str, clock: ManualClock, **settings: str) -> AsyncIterator[grpc.aio.Channel]:
    """A Bounce on a store."""
    environ = {"LISTEN": "127.0.0.1:0", "REDIS_URL": url, **settings}
    own = {f"EMTA_BOUNCE_{name}": value for name, value in environ.items()}
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(running(load_settings(BounceSettings, own), clock))
        yield await stack.enter_async_context(connect(server.address))


async def test_two_bounces_share_memory_evidence_and_incident(
    store: Redis, store_url: str, clock: ManualClock
) -> None:
    async with bounce(store_url, clock) as one, bounce(store_url, clock) as two:
        relays = Relay(one), Relay(two)
        await relays[0].accepted(people(100))

        meanings = [(await relays[n % 2].refused([person]))[0] for n, person in enumerate(people(20))]

        assert sum(meaning.type == HARD for meaning in meanings) <= 7
        assert len({meaning.incident_id for meaning in meanings if meaning.type == SOFT}) == 1
        assert await relays[0].incidents() == await relays[1].incidents()


async def test_many_batches_at_once_open_one_incident_and_count_what_it_holds(
    store: Redis, store_url: str, clock: ManualClock
) -> None:
    async with bounce(store_url, clock) as one, bounce(store_url, clock) as two:
        relays = Relay(one), Relay(two)
        await relays[0].accepted(people(200))

        batches = await asyncio.gather(
            *(relays[n % 2].refused(people(200)[10 * n : 10 * n + 10]) for n in range(20))
        )

        held = [meaning for batch in batches for meaning in batch if meaning.type == SOFT]
        (incident,) = await relays[0].incidents()
        assert incident.held == len(held)
        assert {meaning.incident_id for meaning in held} == {incident.incident_id}


async def test_without_its_store_refusals_mean_what_they_say(tmp_path: Path, clock: ManualClock) -> None:
    async with valkey.server(tmp_path / "store") as server, bounce(server.url, clock) as channel:
        relay = Relay(channel)
        await relay.accepted(people(100))
        server.process.kill()
        await server.process.wait()

        meanings = await relay.refused(people(50))

        assert {meaning.type for meaning in meanings} == {HARD}
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await relay.incidents()
        assert Problem.from_rpc_error(caught.value).reason == "STORE_UNAVAILABLE"


async def test_while_its_store_hangs_one_batch_waits_and_the_next_ones_do_not(
    tmp_path: Path, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        valkey.server(tmp_path / "store") as server,
        bounce(server.url, clock, STORE_TIMEOUT_SECONDS="0.5") as channel,
    ):
        relay = Relay(channel)
        await relay.accepted(people(100))
        server.process.send_signal(signal.SIGSTOP)

        batches = [await relay.refused(people(50)) for _ in range(20)]

        server.process.send_signal(signal.SIGCONT)
        assert {meaning.type for batch in batches for meaning in batch} == {HARD}
        # Were every batch to wait, the breaker would have opened more than once a two seconds.
        assert [record.message for record in caplog.records].count("guard_away") <= 2


async def test_an_incident_that_is_known_holds_while_the_store_is_away(
    tmp_path: Path, clock: ManualClock
) -> None:
    async with valkey.server(tmp_path / "store") as server, bounce(server.url, clock) as channel:
        relay = Relay(channel)
        await relay.accepted(people(100))
        await relay.refused(people(50))
        server.process.kill()
        await server.process.wait()

        (meaning,) = await relay.refused(["u77@mail.example"])

        assert meaning.type == SOFT


async def test_switched_off_it_holds_and_keeps_nothing(
    store: Redis, store_url: str, clock: ManualClock
) -> None:
    async with bounce(store_url, clock, GUARD="false") as channel:
        relay = Relay(channel)
        await relay.accepted(people(100))

        assert {meaning.type for meaning in await relay.refused(people(50))} == {HARD}
        assert await store.keys("bounce:{guard}:*") == []


async def test_what_a_relay_may_not_say_is_refused(
    store: Redis, store_url: str, clock: ManualClock
) -> None:
    async with bounce(store_url, clock) as channel:
        report = AcceptanceServiceStub(channel).ReportAcceptances
        for acceptances, reason in (
            ([SiteAcceptances(site="")], "SITE_INVALID"),
            ([SiteAcceptances(site="a b")], "SITE_INVALID"),
            ([SiteAcceptances(site="x" * 256)], "SITE_INVALID"),
            ([SiteAcceptances(site="é")], "SITE_INVALID"),
            ([SiteAcceptances(site="a")] * 1_001, "BATCH_TOO_LARGE"),
            ([SiteAcceptances(site="a", recipient_keys=[1] * 20_001)], "BATCH_TOO_LARGE"),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await report(ReportAcceptancesRequest(acceptances=acceptances))
            assert Problem.from_rpc_error(caught.value).reason == reason
        item = QualifyRepliesItem(reply=USER_UNKNOWN, site="a\nb", recipient_key=1)
        answer = await BounceServiceStub(channel).QualifyReplies(QualifyRepliesRequest(items=[item]))
        assert Problem.from_status(answer.results[0].error).reason == "SITE_INVALID"


async def test_what_an_operator_may_not_say_is_refused(
    store: Redis, store_url: str, clock: ManualClock
) -> None:
    async with bounce(store_url, clock) as channel:
        stub = IncidentServiceStub(channel)
        real = IncidentEnd.INCIDENT_END_REAL
        for call, reason in (
            (stub.GetIncident(GetIncidentRequest(incident_id="inc-0")), "INCIDENT_UNKNOWN"),
            (stub.ListIncidents(ListIncidentsRequest(page_token="x")), "PAGE_TOKEN_INVALID"),
            (stub.ListIncidents(ListIncidentsRequest(page_size=1_001)), "PAGE_SIZE_INVALID"),
            (stub.CloseIncident(CloseIncidentRequest(incident_id="inc-0")), "VERDICT_INVALID"),
            (stub.CloseIncident(CloseIncidentRequest(verdict=real, comment="c")), "ACTOR_INVALID"),
            (stub.CloseIncident(CloseIncidentRequest(verdict=real, actor="a")), "COMMENT_INVALID"),
            (
                stub.CloseIncident(CloseIncidentRequest(verdict=real, actor="a", comment="c")),
                "INCIDENT_UNKNOWN",
            ),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert Problem.from_rpc_error(caught.value).reason == reason


async def test_hostile_keys_and_sites_stay_within_bounds(store: Redis) -> None:
    """Odd names, the same key a thousand times, keys at the ends of the range: nothing breaks or grows."""
    guard = GuardStore(store)
    names = ["1e9", "inf", "0x10", "nan", "open", "%s", "*", "{x}", '"', "a" * 255]
    keys = [0, 1, 2**64 - 1, 2**63, 2**48 - 1, *([7] * 1_000)]

    for _ in range(3):
        for name in names:
            states = await guard.count({name: Answers(accepted=keys, untold=2**32 - 1)}, START_MS)
            assert list(states) == [name]

    assert await store.scard(f"bounce:{{guard}}:known:{START_MS // (60 * DAY_MS)}:0") <= 5
    # A thousand domains more: those that are kept stay few.
    for start in range(0, 1_000, 4):
        await guard.count({"a": Answers(accepted=[n << 48 for n in range(start, start + 4)])}, START_MS)
    assert await store.hlen("bounce:{guard}:site:a") < 30
    # Weeks later, what has faded is gone.
    for week in range(30):
        await guard.count({"a": Answers(untold=1)}, START_MS + week * 7 * DAY_MS)
    fields = await store.hkeys("bounce:{guard}:site:a")
    assert not [field for field in fields if field.startswith(b"domain:")]


async def test_an_address_is_forgotten_after_two_generations(store: Redis) -> None:
    guard = GuardStore(store)
    person = [key("anna@mail.example")]
    await guard.count({"mail": Answers(accepted=person)}, START_MS)

    async def recognised(after_days: int) -> bool:
        """Whether a deferral of hers is one of a known address."""
        now_ms = START_MS + after_days * DAY_MS
        before = (await guard.count({"mail": Answers(untold=1)}, now_ms))["mail"].evidence.usual.accepted
        after = (await guard.count({"mail": Answers(others=person)}, now_ms))[
            "mail"
        ].evidence.usual.accepted
        return after > before

    assert await recognised(59)
    assert not await recognised(121)
    name = (await store.keys("bounce:{guard}:known:*"))[0]
    assert 0 < await store.pttl(name) <= 120 * DAY_MS


async def test_it_works_on_a_cluster(cluster_url: str, clock: ManualClock) -> None:
    async with bounce(cluster_url, clock) as channel:
        relay = Relay(channel)
        await relay.accepted(people(100))

        assert {meaning.type for meaning in await relay.refused(people(50))} == {SOFT}
        (incident,) = await relay.incidents()
        assert incident.held == 50


async def test_the_longest_unused_site_goes_when_there_are_too_many(store: Redis) -> None:
    guard = GuardStore(store)
    await guard.count({"old": Answers(accepted=[1])}, START_MS)
    # As if 100,000 had come since.
    async with store.pipeline(transaction=False) as pipeline:
        for start in range(0, 99_999, 10_000):
            sites = {f"s{n}": START_MS + 1 for n in range(start, min(start + 10_000, 99_999))}
            pipeline.zadd("bounce:{guard}:sites", sites)
        await pipeline.execute()

    await guard.count({"new": Answers(accepted=[1])}, START_MS + 2)

    assert await store.exists("bounce:{guard}:site:new")
    assert not await store.exists("bounce:{guard}:site:old")


async def test_what_is_lost_of_a_site_ends_its_incident(
    store: Redis, store_url: str, clock: ManualClock
) -> None:
    async with bounce(store_url, clock) as channel:
        relay = Relay(channel)
        await relay.accepted(people(100))
        await relay.refused(people(50))
        await store.delete("bounce:{guard}:site:mail")
        clock.advance(4 * 3_600 + 60)

        async def ended() -> bool:
            return (await relay.incidents())[0].end == IncidentEnd.INCIDENT_END_TIME

        await eventually(ended, "the incident to be closed")
