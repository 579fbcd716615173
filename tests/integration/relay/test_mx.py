"""Routes, asked of a real name server on loopback."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import closing

import dns.flags
import dns.message
import pytest

from demo.receiver.dns_server import DnsServer
from demo.receiver.zone import Fate, Zone
from emta.bounce.v1.smtp_reply_pb2 import FailureKind, SmtpPhase
from services.relay import resolver as relay_resolver
from services.relay.mx import MxResolver
from services.relay.replies import AttemptFailed
from tests.support.clock import ManualClock
from tests.support.eventually import eventually

OWN_NAME = "relay.emta.example"


@pytest.fixture
def zone() -> Zone:
    return Zone()


@pytest.fixture
async def name_server(zone: Zone) -> AsyncIterator[DnsServer]:
    server = DnsServer(zone)
    await server.start()
    yield server
    await server.close()


@pytest.fixture
async def resolver(name_server: DnsServer, clock: ManualClock) -> AsyncIterator[MxResolver]:
    resolver = MxResolver(
        [name_server.address], clock, timeout_seconds=0.3, ehlo_name="Relay.EMTA.example."
    )
    with closing(resolver):
        yield resolver


async def failure_of(resolver: MxResolver, domain: str) -> FailureKind:
    with pytest.raises(AttemptFailed) as failed:
        await resolver.route(domain)
    reply = failed.value.reply
    assert reply.phase == SmtpPhase.SMTP_PHASE_DNS
    assert reply.recipient_domain == domain
    assert reply.code == 0
    assert reply.text
    return reply.failure


async def names(resolver: MxResolver, domain: str) -> list[str]:
    return [host.name for host in (await resolver.route(domain)).hosts]


async def test_hosts_come_by_preference_in_lower_case_with_their_addresses(
    zone: Zone, resolver: MxResolver
) -> None:
    zone.add_site(
        "a.example",
        [
            (20, "Second.A.example", ["127.0.1.2"]),
            (10, "first.a.example", ["127.0.1.1", "::1"]),
            (30, "third.a.example", ["127.0.1.3"]),
        ],
    )
    route = await resolver.route("a.example")
    assert [(host.name, host.addresses) for host in route.hosts] == [
        ("first.a.example", ("127.0.1.1", "::1")),
        ("second.a.example", ("127.0.1.2",)),
        ("third.a.example", ("127.0.1.3",)),
    ]


async def test_equal_preferences_share_the_load_and_never_overtake_a_better_one(
    zone: Zone, resolver: MxResolver
) -> None:
    zone.add_site(
        "a.example", [(5, "best.a.example", ()), (10, "b.a.example", ()), (10, "c.a.example", ())]
    )
    orders = Counter([tuple(await names(resolver, "a.example")) for _ in range(100)])
    assert set(orders) == {
        ("best.a.example", "b.a.example", "c.a.example"),
        ("best.a.example", "c.a.example", "b.a.example"),
    }


async def test_the_addresses_of_a_host_share_the_load_ipv4_first(zone: Zone, resolver: MxResolver) -> None:
    zone.add_site("a.example", [(10, "mx.a.example", ["::1", "127.0.1.1", "127.0.1.2"])])
    orders = {(await resolver.route("a.example")).hosts[0].addresses for _ in range(100)}
    assert orders == {("127.0.1.1", "127.0.1.2", "::1"), ("127.0.1.2", "127.0.1.1", "::1")}


async def test_a_domain_without_mx_records_is_its_own_server(zone: Zone, resolver: MxResolver) -> None:
    zone.add_implicit("a.example")
    assert await names(resolver, "a.example") == ["a.example"]


async def test_an_alias_is_followed_to_its_mx_records(zone: Zone, resolver: MxResolver) -> None:
    zone.add_site("real.example")
    zone.add_cname("alias.example", "real.example")
    assert await names(resolver, "alias.example") == ["mx.real.example"]


async def test_a_list_that_needs_tcp_is_read_up_to_twenty_hosts(zone: Zone, resolver: MxResolver) -> None:
    zone.add_site("many.example", [(n, f"mx{n:03}.many.example", ()) for n in range(120)])
    assert await names(resolver, "many.example") == [f"mx{n:03}.many.example" for n in range(20)]


async def test_of_a_host_with_very_many_addresses_some_are_kept(zone: Zone, resolver: MxResolver) -> None:
    """An answer has room for thousands: seconds at every connection, in which nothing else goes on."""
    zone.add_site("a.example", [(10, "mx.a.example", [f"127.1.0.{n}" for n in range(100)])])
    (host,) = (await resolver.route("a.example")).hosts
    assert len(set(host.addresses)) == 20


async def test_a_host_without_addresses_is_left_out(zone: Zone, resolver: MxResolver) -> None:
    zone.add_site("a.example", [(20, "mx.a.example", ())])
    zone.add("a.example", "MX", "10 missing.a.example.")
    zone.add("a.example", "MX", "10 192.0.2.1.")
    assert await names(resolver, "a.example") == ["mx.a.example"]


async def test_null_mx(zone: Zone, resolver: MxResolver) -> None:
    zone.add_null_mx("no-mail.example")
    assert await failure_of(resolver, "no-mail.example") == FailureKind.FAILURE_KIND_NULL_MX


async def test_a_root_among_real_hosts_is_no_null_mx(zone: Zone, resolver: MxResolver) -> None:
    zone.add_site("a.example")
    zone.add("a.example", "MX", "0 .")
    assert await names(resolver, "a.example") == ["mx.a.example"]


async def test_domains_that_do_not_exist(zone: Zone, resolver: MxResolver) -> None:
    zone.add_cname("dangling.example", "gone.example")
    for domain in ("nowhere.example", "dangling.example", "a..example", f"{'a' * 64}.example"):
        assert await failure_of(resolver, domain) == FailureKind.FAILURE_KIND_DOMAIN_NOT_FOUND


async def test_a_domain_without_any_address_has_no_mx(zone: Zone, resolver: MxResolver) -> None:
    zone.add("text-only.example", "TXT", '"hello"')
    zone.add("lost.example", "MX", "10 missing.lost.example.")
    for domain in ("text-only.example", "lost.example"):
        assert await failure_of(resolver, domain) == FailureKind.FAILURE_KIND_NO_MX


@pytest.mark.parametrize("fate", Fate)
async def test_failing_name_servers_say_nothing_about_the_domain(
    zone: Zone, resolver: MxResolver, fate: Fate
) -> None:
    zone.add_failing("down.example", fate)
    # The MX record is there, the addresses are not to be had: not known is not absent.
    zone.add("half.example", "MX", "10 mx.down.example.")
    zone.add("half.example", "MX", "20 missing.half.example.")
    for domain in ("down.example", "half.example"):
        assert await failure_of(resolver, domain) == FailureKind.FAILURE_KIND_DNS_UNAVAILABLE


async def test_one_reachable_host_is_enough_and_the_rest_is_asked_for_again_soon(
    zone: Zone, resolver: MxResolver, clock: ManualClock
) -> None:
    zone.add_site("a.example", [(10, "mx.down.example", ()), (20, "mx.a.example", ())])
    zone.add_failing("down.example", Fate.SERVFAIL)
    assert await names(resolver, "a.example") == ["mx.a.example"]
    zone.mend("down.example")
    clock.advance(30)
    assert await names(resolver, "a.example") == ["mx.down.example", "mx.a.example"]


async def test_hosts_no_better_than_ourselves_are_dropped(zone: Zone, resolver: MxResolver) -> None:
    zone.add_site(
        "a.example",
        [
            (10, "better.a.example", ()),
            (20, OWN_NAME, ()),
            (20, "equal.a.example", ()),
            (30, "w.example", ()),
        ],
    )
    assert await names(resolver, "a.example") == ["better.a.example"]


async def test_a_list_that_starts_with_ourselves_is_a_loop(zone: Zone, resolver: MxResolver) -> None:
    zone.add_site("a.example", [(10, OWN_NAME, ()), (20, "worse.a.example", ())])
    assert await failure_of(resolver, "a.example") == FailureKind.FAILURE_KIND_LOOP


@pytest.mark.parametrize(
    ("ttl", "lives"), [(0, 30), (120, 120), (604_800, 86_400)], ids=["floor", "as told", "ceiling"]
)
async def test_a_route_lives_as_long_as_its_records_within_bounds(
    zone: Zone, name_server: DnsServer, resolver: MxResolver, clock: ManualClock, ttl: int, lives: int
) -> None:
    zone.ttl = ttl
    zone.add_site("a.example")
    for _ in range(3):
        await resolver.route("a.example")
    clock.advance(lives - 0.001)
    await resolver.route("a.example")
    assert name_server.queries["a.example", "MX"] == 1
    clock.advance(0.001)
    await resolver.route("a.example")
    assert name_server.queries["a.example", "MX"] == 2


async def test_the_shortest_of_all_records_counts(
    zone: Zone, name_server: DnsServer, resolver: MxResolver, clock: ManualClock
) -> None:
    zone.ttl = 3600
    zone.add_site("a.example", [(10, "mx.a.example", ())], ttl=3600)
    zone.remove("mx.a.example")
    zone.add("mx.a.example", "A", "127.0.0.9", ttl=40)
    zone.add("mx.a.example", "AAAA", "::1", ttl=3600)
    await resolver.route("a.example")
    clock.advance(40)
    await resolver.route("a.example")
    assert name_server.queries["a.example", "MX"] == 2


async def test_a_repaired_domain_gets_its_mail_soon(
    zone: Zone, name_server: DnsServer, resolver: MxResolver, clock: ManualClock
) -> None:
    for _ in range(3):
        await failure_of(resolver, "late.example")
    assert name_server.queries["late.example", "MX"] == 1
    zone.add_site("late.example")
    clock.advance(60)  # the zone's negative TTL (RFC 2308)
    assert await names(resolver, "late.example") == ["mx.late.example"]


async def test_null_mx_is_not_believed_for_longer_than_five_minutes(
    zone: Zone, resolver: MxResolver, clock: ManualClock
) -> None:
    zone.ttl = 86_400
    zone.add_null_mx("a.example")
    await failure_of(resolver, "a.example")
    zone.remove("a.example")
    zone.add_site("a.example")
    clock.advance(300)
    assert await names(resolver, "a.example") == ["mx.a.example"]


async def test_look_ups_of_one_domain_at_one_time_are_one(
    zone: Zone, name_server: DnsServer, resolver: MxResolver
) -> None:
    zone.add_site("a.example")
    routes = await asyncio.gather(*(resolver.route("a.example") for _ in range(50)))
    assert {route.hosts[0].name for route in routes} == {"mx.a.example"}
    assert name_server.queries["a.example", "MX"] == 1


async def test_one_caller_that_gives_up_takes_nothing_from_the_others(
    zone: Zone, name_server: DnsServer, resolver: MxResolver
) -> None:
    zone.add_site("a.example")
    impatient = asyncio.create_task(resolver.route("a.example"))
    patient = asyncio.create_task(resolver.route("a.example"))
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await patient).hosts
    assert impatient.cancelled()
    assert name_server.queries["a.example", "MX"] == 1


async def test_a_dead_name_server_is_passed_over(
    zone: Zone, name_server: DnsServer, clock: ManualClock
) -> None:
    zone.add_site("a.example")
    resolver = MxResolver(
        ["127.0.0.1:1", name_server.address], clock, timeout_seconds=1.0, ehlo_name=OWN_NAME
    )
    with closing(resolver):
        assert await names(resolver, "a.example") == ["mx.a.example"]


async def test_lists_of_dead_hosts_hold_up_no_other_domain(
    zone: Zone, name_server: DnsServer, clock: ManualClock
) -> None:
    dead = [f"many{number}.example" for number in range(12)]
    for domain in dead:
        zone.add_site(domain, [(10, f"mx{n}.{domain}.dead.example", []) for n in range(20)])
    zone.add_failing("dead.example", Fate.SILENT)
    zone.add_site("a.example")
    resolver = MxResolver([name_server.address], clock, timeout_seconds=2.0, ehlo_name=OWN_NAME)
    with closing(resolver):
        many = [asyncio.create_task(resolver.route(domain)) for domain in dead]

        async def all_ask() -> bool:
            asked = {
                name.split(".")[1] for name, _ in name_server.queries if name.endswith(".dead.example")
            }
            return len(asked) == len(dead)

        await eventually(all_ask, "the questions about their hosts")
        assert await names(resolver, "a.example") == ["mx.a.example"]
        assert not any(task.done() for task in many)
        for task in many:
            task.cancel()


async def test_who_had_to_wait_for_his_turn_has_his_full_time(
    zone: Zone, name_server: DnsServer, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay_resolver, "_MAX_QUESTIONS", 1)
    zone.add_failing("dead.example", Fate.SILENT)
    zone.add_site("a.example")
    resolver = MxResolver([name_server.address], clock, timeout_seconds=0.3, ehlo_name=OWN_NAME)
    with closing(resolver):
        dead = asyncio.create_task(failure_of(resolver, "dead.example"))
        await asyncio.sleep(0)
        assert await names(resolver, "a.example") == ["mx.a.example"]
        assert await dead == FailureKind.FAILURE_KIND_DNS_UNAVAILABLE


async def test_what_is_cut_off_over_tcp_too_is_no_answer(
    zone: Zone, name_server: DnsServer, resolver: MxResolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its mail must neither bounce for want of MX records nor go to the domain itself."""
    zone.add_site("a.example", [(10, "mx.a.example", ["127.0.1.1"])])
    whole = name_server.respond

    def cut(wire: bytes, *, over_udp: bool) -> bytes | None:
        answer = dns.message.from_wire(whole(wire, over_udp=over_udp) or b"")
        answer.flags |= dns.flags.TC
        answer.answer.clear()
        return answer.to_wire()

    monkeypatch.setattr(name_server, "respond", cut)

    assert await failure_of(resolver, "a.example") == FailureKind.FAILURE_KIND_DNS_UNAVAILABLE
