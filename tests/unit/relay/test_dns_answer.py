"""Answers of name servers, read as dnspython reads them."""

from __future__ import annotations

import contextlib
import itertools
from ipaddress import ip_address

import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.relay.dns_answer import Answer, BadAnswer, Kind, Rcode, parse, to_text, to_wire

LABELS = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789_-", min_size=1, max_size=63)
NAMES = st.lists(LABELS, min_size=1, max_size=3).map(".".join)
TTLS = st.integers(0, 2**31 - 1)


def query(name: str, kind: Kind) -> dns.message.Message:
    return dns.message.make_query(name, dns.rdatatype.RdataType(kind), use_edns=True)


def question(asked: dns.message.Message) -> bytes:
    (only,) = asked.question
    return only.name.to_wire() + bytes((0, int(only.rdtype), 0, 1))  # type: ignore[operator]


def rrset(name: str, ttl: int, kind: str, *data: str) -> dns.rrset.RRset:
    return dns.rrset.from_text(name + ".", ttl, "IN", kind, *data)


@st.composite
def answers(draw: st.DrawFn) -> tuple[dns.message.Message, bytes]:
    """An answer over some aliases, or none, as name servers write it: compressed."""
    kind = draw(st.sampled_from(Kind))
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique_by=str.lower))
    asked = query(names[0], kind)
    answer = dns.message.make_response(asked)
    for alias, target in itertools.pairwise(names):
        answer.answer.append(rrset(alias, draw(TTLS), "CNAME", target + "."))
    if draw(st.booleans()):
        count = draw(st.integers(1, 5))
        if kind == Kind.MX:
            data = [f"{draw(st.integers(0, 65535))} {draw(NAMES)}." for _ in range(count)]
        elif kind == Kind.A:
            data = [str(draw(st.ip_addresses(v=4))) for _ in range(count)]
        else:
            data = [str(draw(st.ip_addresses(v=6))) for _ in range(count)]
        answer.answer.append(rrset(names[-1], draw(TTLS), kind.name, *data))
    else:
        answer.set_rcode(draw(st.sampled_from([dns.rcode.NOERROR, dns.rcode.NXDOMAIN])))
        if draw(st.booleans()):
            soa = f"a.example. b.example. 1 2 3 4 {draw(TTLS)}"
            answer.authority.append(rrset(names[-1], draw(TTLS), "SOA", soa))
    return answer, question(asked)


V4_MAPPED = dns.message.make_response(query("a.example", Kind.AAAA))
V4_MAPPED.answer.append(rrset("a.example", 60, "AAAA", "::ffff:0:0"))


@given(answers())
@example((V4_MAPPED, question(V4_MAPPED)))
def test_it_says_what_dnspython_says(case: tuple[dns.message.Message, bytes]) -> None:
    answer, asked = case

    wire = answer.to_wire(max_size=65_535)

    told = parse(wire, asked)

    chain = dns.message.from_wire(wire).resolve_chaining()  # type: ignore[attr-defined]
    records = {written(rdata) for rdata in chain.answer} if chain.answer else set()
    assert told.rcode == answer.rcode()
    assert {shown(record).lower() for record in told.records} == records
    if records or answer.authority:
        assert told.ttl == chain.minimum_ttl


def written(rdata: dns.rdata.Rdata) -> str:
    # An address may be written in several ways: ::ffff:0:0 is ::ffff:0.0.0.0.
    address = getattr(rdata, "address", None)
    return str(ip_address(address)) if address else rdata.to_text().lower()


def shown(record: tuple[int, bytes] | str) -> str:
    return record if isinstance(record, str) else f"{record[0]} {to_text(record[1])}."


@given(answers(), st.data())
def test_damaged_answers_are_refused_or_read_but_never_worse(
    case: tuple[dns.message.Message, bytes], data: st.DataObject
) -> None:
    answer, asked = case
    wire = bytearray(answer.to_wire(max_size=65_535))
    for _ in range(data.draw(st.integers(1, 8))):
        wire[data.draw(st.integers(2, len(wire) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(BadAnswer):
        assert isinstance(parse(bytes(wire[: data.draw(st.integers(0, len(wire)))]), asked), Answer)


@given(NAMES)
def test_names_are_written_as_dnspython_writes_them(name: str) -> None:
    wire = dns.name.from_text(name).to_wire()
    assert wire is not None

    assert to_wire(name) == wire.lower()
    assert to_text(wire).lower() == name.lower()


@pytest.mark.parametrize("name", ["", "a..b", "x" * 64 + ".example", ".".join(["x" * 60] * 5), "ü.example"])
def test_what_is_no_name_is_not_asked_for(name: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        to_wire(name)


def test_names_with_odd_octets_are_shown_without_ambiguity() -> None:
    assert to_text(b"\x03a.b\x02\x00\xff\x00") == r"a\046b.\000\255"


def test_an_answer_to_another_question_is_none() -> None:
    answer = dns.message.make_response(query("a.example", Kind.A))
    with pytest.raises(BadAnswer):
        parse(answer.to_wire(), question(query("b.example", Kind.A)))


def test_a_circle_of_aliases_ends() -> None:
    asked = query("a.example", Kind.A)
    answer = dns.message.make_response(asked)
    answer.answer += [
        rrset("a.example", 60, "CNAME", "b.example."),
        rrset("b.example", 60, "CNAME", "a.example."),
    ]
    with pytest.raises(BadAnswer):
        parse(answer.to_wire(), question(asked))


def test_a_server_that_could_not_read_the_question_need_not_repeat_it() -> None:
    refused = b"\x12\x34\x80\x01" + bytes(8)
    assert parse(refused, question(query("a.example", Kind.A))).rcode == Rcode.FORMERR


def test_of_an_answer_with_thousands_of_records_the_first_are_read() -> None:
    asked = query("a.example", Kind.A)
    answer = dns.message.make_response(asked)
    data = [f"192.0.{n // 250}.{n % 250}" for n in range(3_000)]
    answer.answer.append(rrset("a.example", 300, "A", *data))

    assert len(parse(answer.to_wire(max_size=65_535), question(asked)).records) == 500
