"""The one form of a refusal."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emta.bounce.v1.smtp_reply_pb2 import FailureKind, SmtpPhase, SmtpReply
from services.relay.replies import MAX_TEXT, Place, printable, split_enhanced_code

PLACE = Place("example.com", "mx.example.com", "192.0.2.1", "192.0.2.9", "TLSv1.3")


def test_a_refusal_says_everything_once() -> None:
    reply = PLACE.refusal(SmtpPhase.SMTP_PHASE_RCPT, 550, "5.1.1 No such user\n5.1.1 See our help")
    assert reply == SmtpReply(
        phase=SmtpPhase.SMTP_PHASE_RCPT,
        code=550,
        enhanced_code="5.1.1",
        text="No such user\nSee our help",
        mx_host="mx.example.com",
        remote_ip="192.0.2.1",
        recipient_domain="example.com",
        tls_version="TLSv1.3",
        local_ip="192.0.2.9",
    )


def test_a_failure_has_a_kind_and_no_code() -> None:
    reply = Place("example.com").failure(
        SmtpPhase.SMTP_PHASE_DNS, FailureKind.FAILURE_KIND_NO_MX, "nothing there"
    )
    assert (reply.code, reply.enhanced_code, reply.failure, reply.text) == (
        0,
        "",
        FailureKind.FAILURE_KIND_NO_MX,
        "nothing there",
    )


def test_a_host_of_odd_octets_is_named_within_the_contracts_length() -> None:
    place = Place("example.com", "\\255" * 240 + ".example.com")

    reply = place.refusal(SmtpPhase.SMTP_PHASE_RCPT, 550, "no")

    assert len(reply.mx_host) == 253
    assert reply.mx_host.endswith("\\255.example.com")


@pytest.mark.parametrize(
    ("text", "code", "rest"),
    [
        ("4.2.2 Full", "4.2.2", "Full"),
        ("5.7.515", "5.7.515", ""),
        ("5.1.1\tTab", "5.1.1", "Tab"),
        ("No code 5.1.1", "", "No code 5.1.1"),
        ("5.1.1.1 an address", "", "5.1.1.1 an address"),
        ("5.1.1234 too long", "", "5.1.1234 too long"),
        ("3.1.1 no such class", "", "3.1.1 no such class"),
        ("", "", ""),
        ("5.7.1 First\n5.1.1 Another", "5.7.1", "First\n5.1.1 Another"),
        ("5.7.1 First\nplain", "5.7.1", "First\nplain"),
    ],
)
def test_the_enhanced_code_is_told_from_the_text(text: str, code: str, rest: str) -> None:
    assert split_enhanced_code(text) == (code, rest)


def test_controls_and_bad_bytes_are_escaped() -> None:
    raw = b"\x1b[31m caf\xc3\xa9 \xff\x00\x7f\xc2\x85\r\tend".decode("utf-8", "surrogateescape")
    assert printable(raw) == r"\x1b[31m café \xff\x00\x7f\x85\x0d\x09end"


def test_an_escape_is_not_cut_in_the_middle() -> None:
    for before in range(MAX_TEXT - 4, MAX_TEXT + 1):
        shown = printable("a" * before + "\x00" * 9)
        assert len(shown) <= MAX_TEXT
        assert shown == "a" * before + r"\x00" * ((MAX_TEXT - before) // 4)


@given(st.binary(max_size=3000))
def test_any_bytes_become_a_text_that_a_proto_holds(raw: bytes) -> None:
    text = printable(raw.decode("utf-8", "surrogateescape"))
    assert len(text) <= MAX_TEXT
    assert all(character == "\n" or character.isprintable() or ord(character) > 0x9F for character in text)
    assert SmtpReply.FromString(SmtpReply(text=text).SerializeToString()).text == text
