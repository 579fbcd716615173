"""The name server, asked over real sockets."""

from __future__ import annotations

import asyncio

import dns.asyncquery
import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import pytest

from demo.receiver import Receiver, Zone
from demo.receiver.sites import EXAMPLE_DOMAINS, example_zone
from demo.receiver.zone import Fate

Resolver = dns.asyncresolver.Resolver


async def _mx(resolver: Resolver, domain: str) -> list[str]:
    # Names come back as they were asked for, by the compression of messages.
    return sorted(record.to_text().lower() for record in await resolver.resolve(domain, "MX"))


async def _a(resolver: Resolver, name: str) -> list[str]:
    return [record.to_text() for record in await resolver.resolve(name, "A")]


async def test_mx_records_come_with_their_preferences(resolver: Resolver) -> None:
    assert await _mx(resolver, "beta.example") == ["10 mx1.beta.example.", "20 mx2.beta.example."]
    assert await _mx(resolver, "GAMMA.example") == ["10 east.gamma.example.", "10 west.gamma.example."]


async def test_every_example_domain_leads_to_a_server_that_listens(
    receiver: Receiver, resolver: Resolver
) -> None:
    assert len(EXAMPLE_DOMAINS) == 10
    for domain in EXAMPLE_DOMAINS:
        try:
            hosts = [record.exchange for record in await resolver.resolve(domain, "MX")]
        except dns.resolver.NoAnswer:
            hosts = [domain]
        for host in hosts:
            (address,) = await _a(resolver, host)
            assert receiver.zone.hosts[address].traits.listens
            _, writer = await asyncio.open_connection(address, receiver.smtp_port)
            writer.close()


async def test_an_implicit_mx_has_an_address_and_no_mx(resolver: Resolver) -> None:
    with pytest.raises(dns.resolver.NoAnswer):
        await resolver.resolve("delta.example", "MX")
    assert await _a(resolver, "delta.example")


async def test_an_internationalized_domain_is_asked_in_a_labels(resolver: Resolver) -> None:
    assert await _mx(resolver, "xn--mller-kva.example") == ["10 mx.xn--mller-kva.example."]


async def test_an_alias_is_followed(resolver: Resolver) -> None:
    assert await _mx(resolver, "eta.example") == ["10 mx.hosting.example."]


async def test_an_alias_to_nothing_does_not_exist() -> None:
    zone = Zone()
    zone.add_cname("alias.example", "gone.example")

    response = zone.answer(dns.message.make_query("alias.example", "MX"))

    assert response is not None
    assert response.rcode() == dns.rcode.NXDOMAIN
    assert [rrset.to_text() for rrset in response.answer] == ["alias.example. 300 IN CNAME gone.example."]


async def test_aliases_in_a_circle_end(resolver: Resolver, receiver: Receiver) -> None:
    receiver.zone.add_cname("a.circle.example", "b.circle.example")
    receiver.zone.add_cname("b.circle.example", "a.circle.example")

    with pytest.raises(dns.exception.DNSException):
        await resolver.resolve("a.circle.example", "MX")


async def test_null_mx(resolver: Resolver) -> None:
    assert await _mx(resolver, "null-mx.example") == ["0 ."]


async def test_an_mx_into_a_private_network_has_no_server_here(
    resolver: Resolver, receiver: Receiver
) -> None:
    assert await _a(resolver, "mx.forbidden.example") == ["10.0.0.1"]
    assert "10.0.0.1" not in receiver.zone.hosts


async def test_unknown_names_do_not_exist_and_names_between_do(resolver: Resolver) -> None:
    with pytest.raises(dns.resolver.NXDOMAIN):
        await resolver.resolve("no-such.example", "MX")
    with pytest.raises(dns.resolver.NoAnswer):
        await resolver.resolve("no-mail.example", "MX")
    with pytest.raises(dns.resolver.NoAnswer):
        await resolver.resolve("example", "MX")


async def test_servfail_until_mended(resolver: Resolver, receiver: Receiver) -> None:
    with pytest.raises(dns.resolver.NoNameservers, match="SERVFAIL"):
        await resolver.resolve("servfail.example", "MX")

    receiver.zone.mend("servfail.example")
    receiver.zone.add_site("servfail.example")

    assert await _mx(resolver, "servfail.example") == ["10 mx.servfail.example."]


async def test_a_silent_name_is_asked_for_and_not_answered(resolver: Resolver, receiver: Receiver) -> None:
    with pytest.raises(dns.resolver.LifetimeTimeout):
        await resolver.resolve("silent-dns.example", "MX", lifetime=0.2)
    assert receiver.dns.queries["silent-dns.example", "MX"] >= 1
    assert await _mx(resolver, "alpha.example")


async def test_silence_covers_the_names_below() -> None:
    zone = Zone()
    zone.add_failing("quiet.example", Fate.SILENT)

    assert zone.answer(dns.message.make_query("mx.quiet.example", "A")) is None
    assert zone.answer(dns.message.make_query("unquiet.example", "A")) is not None


async def test_a_long_answer_is_cut_over_udp_and_whole_over_tcp(receiver: Receiver) -> None:
    host, _, port = receiver.dns_address.rpartition(":")
    query = dns.message.make_query("many-mx.example", "MX", use_edns=0, payload=4096)

    cut = await dns.asyncquery.udp(query, host, 5, int(port), ignore_trailing=True)
    whole, over_tcp = await dns.asyncquery.udp_with_fallback(query, host, 5, int(port))

    assert cut.flags & dns.flags.TC
    assert not cut.answer
    assert over_tcp
    assert len(whole.answer[0]) == 61


async def test_without_edns_512_octets_are_the_limit(receiver: Receiver) -> None:
    host, _, port = receiver.dns_address.rpartition(":")
    receiver.zone.add_txt("middle.example", "x" * 800)

    plain = await dns.asyncquery.udp(dns.message.make_query("middle.example", "TXT"), host, 5, int(port))
    large = await dns.asyncquery.udp(
        dns.message.make_query("middle.example", "TXT", use_edns=0, payload=1232), host, 5, int(port)
    )

    assert plain.flags & dns.flags.TC
    assert not large.flags & dns.flags.TC


async def test_several_queries_over_one_tcp_connection(receiver: Receiver) -> None:
    host, _, port = receiver.dns_address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))

    for domain in ("alpha.example", "beta.example"):
        query = dns.message.make_query(domain, "MX")
        wire = query.to_wire()
        writer.write(len(wire).to_bytes(2, "big") + wire)
        length = int.from_bytes(await reader.readexactly(2), "big")
        response = dns.message.from_wire(await reader.readexactly(length))
        assert response.id == query.id
        assert response.question == query.question
    writer.close()


async def test_what_is_no_query_is_passed_over(receiver: Receiver, resolver: Resolver) -> None:
    host, _, port = receiver.dns_address.rpartition(":")
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(
        asyncio.DatagramProtocol, remote_addr=(host, int(port))
    )
    transport.sendto(b"not DNS")
    transport.close()

    assert await _mx(resolver, "alpha.example")


async def test_a_txt_record_of_any_length_comes_back_whole(resolver: Resolver, receiver: Receiver) -> None:
    record = 'v=DKIM1; k=rsa; p="' + "A1+/" * 200 + '\\"'
    receiver.zone.add_txt("s1._domainkey.shop.example", record)

    (answer,) = await resolver.resolve("s1._domainkey.shop.example", "TXT")

    assert b"".join(answer.strings).decode() == record
    assert receiver.zone.txt("s1._domainkey.shop.example.") == record
    assert receiver.zone.txt("s2._domainkey.shop.example") == ""


async def test_the_ttl_is_as_set(resolver: Resolver, receiver: Receiver) -> None:
    receiver.zone.add_site("brief.example", ttl=7)

    answer = await resolver.resolve("brief.example", "MX")

    assert answer.rrset is not None
    assert answer.rrset.ttl == 7


async def test_a_new_zone_has_nothing_of_another() -> None:
    one, other = example_zone(), example_zone()
    one.remove("alpha.example")

    gone = one.answer(dns.message.make_query("alpha.example", "MX"))
    there = other.answer(dns.message.make_query("alpha.example", "MX"))

    assert gone is not None
    assert not gone.answer
    assert there is not None
    assert there.answer
