"""Addresses and names at the edge."""

from __future__ import annotations

import pytest

from emta.problems import Problem
from services.relay.envelope import parse_domain, parse_identifier, parse_mailbox, parse_selector


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("a@b.example", "a@b.example"),
        ("First.Last+tag@B.Example", "First.Last+tag@b.example"),
        ('"two words"@b.example', '"two words"@b.example'),
        ('"a@b"@c.example', '"a@b"@c.example'),
        ("!#$%&'*+/=?^_`{|}~-@b.example", "!#$%&'*+/=?^_`{|}~-@b.example"),
        ("post@müller.example", "post@xn--mller-kva.example"),
        ("花子@例え.example", "花子@xn--r8jz45g.example"),
        ("a@under_score.example", "a@under_score.example"),
    ],
)
def test_an_address_keeps_its_local_part_and_gets_a_canonical_domain(given: str, sent: str) -> None:
    assert parse_mailbox(given, "rcpt_to").address == sent


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("", "ADDRESS_MISSING"),
        ("a", "ADDRESS_MALFORMED"),
        ("@b.example", "ADDRESS_MALFORMED"),
        ("a@", "ADDRESS_MALFORMED"),
        ("a..b@c.example", "ADDRESS_MALFORMED"),
        (".a@c.example", "ADDRESS_MALFORMED"),
        ("a b@c.example", "ADDRESS_MALFORMED"),
        ("<a@c.example>", "ADDRESS_MALFORMED"),
        ("a@b@c.example", "ADDRESS_MALFORMED"),
        ("a@c.example\r\nRCPT TO:<x@y.example>", "ENVELOPE_CONTROL_CHARACTER"),
        ("a\0@c.example", "ENVELOPE_CONTROL_CHARACTER"),
        ("a@c.example\u2028", "ENVELOPE_CONTROL_CHARACTER"),
        ("a@[192.0.2.1]", "ADDRESS_LITERAL"),
        ("a@localhost", "DOMAIN_INVALID"),
        ("a@192.0.2.1", "DOMAIN_INVALID"),
        ("a@-x.example", "DOMAIN_INVALID"),
        ("a@x..example", "DOMAIN_INVALID"),
        ("a@c.example SIZE=9", "DOMAIN_INVALID"),
        ("a" * 65 + "@c.example", "ADDRESS_TOO_LONG"),
        ("aaaaa@" + "b." * 122 + "example", "ADDRESS_TOO_LONG"),
        ("a@" + "b" * 64 + ".example", "DOMAIN_INVALID"),
    ],
)
def test_what_is_no_address_is_refused_with_its_field(given: str, reason: str) -> None:
    with pytest.raises(Problem) as caught:
        parse_mailbox(given, "rcpt_to")

    assert (caught.value.reason, caught.value.field) == (reason, "rcpt_to")


def test_only_a_local_part_beyond_ascii_needs_smtputf8() -> None:
    assert parse_mailbox("josé@b.example", "rcpt_to").needs_smtputf8
    assert not parse_mailbox("jose@müller.example", "rcpt_to").needs_smtputf8


@pytest.mark.parametrize("text", ["", "two words", "a" * 129, "naïve", "tab\t"])
def test_identifiers_are_printable_ascii_without_spaces(text: str) -> None:
    with pytest.raises(Problem, match="printable ASCII"):
        parse_identifier(text, "message_id")


def test_a_selector_may_be_digits_and_have_labels() -> None:
    assert parse_selector("2026.a", "selector") == "2026.a"
    with pytest.raises(Problem):
        parse_selector("a b", "selector")


def test_a_domain_has_at_least_two_labels() -> None:
    assert parse_domain("B.Example", "domain") == "b.example"
    with pytest.raises(Problem):
        parse_domain("example", "domain")
