"""Whatever a message holds: its signature verifies, and says what is signed."""

from __future__ import annotations

import time
from pathlib import Path

import dkim
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emta.signing import body_sha256
from services.signer.dkim_signature import UnsignedMessage
from services.signer.keygen import make_key
from services.signer.keys import Key, load_key

NAMES = ("Subject", "subject", "TO", "Cc", "Received", "References", "List-Id", "Content-Type", "X-b", "b")
# CR and LF come from folding only; no line is white space alone (RFC 5322 section 3.2.2).
# No line ends with VT or FF: dkimpy strips them from values as if they were WSP, which they are not.
LINE = st.binary(min_size=1, max_size=20).map(lambda raw: b"x" + raw.translate(None, b"\r\n") + b"x")
VALUE = st.lists(LINE, max_size=3).map(b"\r\n \t".join)
FIELD = st.builds(lambda name, value: name.encode() + b":" + value + b"\r\n", st.sampled_from(NAMES), VALUE)
BODY = st.lists(
    st.one_of(
        st.text(" \t", max_size=4).map(str.encode), st.text("b=;. \t", max_size=9).map(str.encode), LINE
    ),
    max_size=6,
).map(b"\r\n".join)


def key_of(domain: str, folder: Path) -> Key:
    make_key(domain, "s1", folder)
    return load_key(folder / f"s1._domainkey.{domain}.pem", 2048, 0)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    return key_of("shop.example", tmp_path_factory.mktemp("keys"))


def signature(message: bytes, key: Key) -> bytes:
    now = int(time.time())
    return UnsignedMessage.of(message).sign(key, now, now + 432_000)


def verifies(signed: bytes, key: Key) -> bool:
    records = {f"{key.selector}._domainkey.{key.domain}.".encode(): key.dns_record.encode()}
    return bool(dkim.verify(signed, dnsfunc=lambda name, timeout=5: records.get(name)))


@settings(max_examples=80, deadline=None)
@given(before=st.lists(FIELD, max_size=4), after=st.lists(FIELD, max_size=4), body=BODY)
def test_whatever_is_in_it_dkimpy_agrees_and_both_forms_do(
    key: Key, before: list[bytes], after: list[bytes], body: bytes
) -> None:
    block = b"".join([*before, b"From: a@shop.example\r\n", *after])
    message = block + b"\r\n" + body

    whole = signature(message, key)

    assert verifies(whole + message, key)
    apart = UnsignedMessage(block, body_sha256(body)).sign(key, 1, 2)
    assert apart == UnsignedMessage.of(message).sign(key, 1, 2)


@settings(max_examples=40, deadline=None)
@given(at=st.integers(0, 10_000), to=st.integers(1, 255))
def test_any_letter_that_changes_in_the_body_is_found_out(key: Key, at: int, to: int) -> None:
    body = b"The quick brown fox\r\njumps over\r\n"
    letters = [n for n, byte in enumerate(body) if chr(byte).isalpha()]
    place = letters[at % len(letters)]
    changed = body[:place] + bytes([body[place] ^ to]) + body[place + 1 :]
    head = b"From: a@shop.example\r\n\r\n"

    assert not verifies(signature(head + body, key) + head + changed, key)


def test_every_field_is_signed_as_often_as_it_is_there_and_the_important_ones_once_more(key: Key) -> None:
    message = (
        b"Received: x\r\nFrom: a@shop.example\r\nTo: b@b.example\r\nList-Id: <a>\r\nLIST-ID: <b>\r\n"
        b"Feedback-ID: 1:2:3:4\r\nX-Campaign: 1\r\n\r\n"
    )

    value = signature(message, key).replace(b"\r\n", b"").partition(b" h=")[2].partition(b";")[0]
    signed = value.replace(b" ", b"").decode().split(":")

    counts = {
        name: signed.count(name) for name in ("from", "to", "list-id", "feedback-id", "reply-to", "cc")
    }
    assert counts == {"from": 2, "to": 2, "list-id": 2, "feedback-id": 2, "reply-to": 1, "cc": 1}
    # Fields that others add or that are nobody's business (RFC 6376 section 5.4.1).
    assert not {"received", "x-campaign", "return-path", "bcc", "dkim-signature"} & set(signed)


@pytest.mark.parametrize(
    "field",
    [
        "From",
        "To",
        "Cc",
        "Subject",
        "Date",
        "Reply-To",
        "Message-ID",
        "List-Unsubscribe",
        "List-Unsubscribe-Post",
    ],
)
@pytest.mark.parametrize("present", [True, False])
def test_a_field_added_above_or_below_the_own_one_breaks_the_signature(
    key: Key, field: str, present: bool
) -> None:
    own = f"{field}: own@shop.example\r\n" if present and field != "From" else ""
    head = f"From: a@shop.example\r\n{own}".encode()
    signed = signature(head + b"\r\nx\r\n", key) + head
    added = f"{field}: evil@evil.example\r\n".encode()

    assert verifies(signed + b"\r\nx\r\n", key)
    assert not verifies(added + signed + b"\r\nx\r\n", key)
    assert not verifies(signed + added + b"\r\nx\r\n", key)


@pytest.mark.parametrize(
    "field", [b"From", b"Subject", b"List-Unsubscribe", b"Feedback-ID", b"Content-Type"]
)
def test_a_field_that_is_changed_or_taken_away_breaks_the_signature(key: Key, field: bytes) -> None:
    head = b"".join(name + b": own@shop.example\r\n" for name in dict.fromkeys([b"From", field]))
    signed = signature(head + b"\r\nx\r\n", key) + head + b"\r\nx\r\n"
    line = field + b": own@shop.example\r\n"

    assert not verifies(signed.replace(line, field + b": own@evil.example\r\n"), key)
    assert not verifies(signed.replace(line, b""), key)


@pytest.mark.parametrize("length", [70, 200])
def test_a_long_domain_is_not_broken_in_two(tmp_path: Path, length: int) -> None:
    domain = ".".join(["a" * 40] * 5)[8 - length :] + ".example"
    assert len(domain) == length
    message = f"From: a@{domain}\r\n\r\nx\r\n".encode()
    own = key_of(domain, tmp_path)

    assert verifies(signature(message, own) + message, own)


def test_a_domain_of_69_characters_and_the_longest_selector_verify(tmp_path: Path) -> None:
    domain, selector = f"{'a' * 40}.{'b' * 20}.example", "s" * 63
    assert len(domain) == 69
    make_key(domain, selector, tmp_path)
    own = load_key(tmp_path / f"{selector}._domainkey.{domain}.pem", 2048, 0)
    message = f"From: a@{domain}\r\n\r\nx\r\n".encode()

    assert verifies(signature(message, own) + message, own)
