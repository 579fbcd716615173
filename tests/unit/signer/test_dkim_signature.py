"""Signatures verify with dkimpy, and break when somebody adds what was signed as absent."""

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

MESSAGE = (
    b"From: Shop <news@shop.example>\r\nTo: a@b.example\r\nSubject: Hello   there\r\n"
    b"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@shop.example>\r\n"
    b"List-Unsubscribe: <https://shop.example/u>\r\n\r\nHello \t world  \r\n\r\nBye\r\n\r\n\r\n"
)


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    folder: Path = tmp_path_factory.mktemp("keys")
    make_key("shop.example", "s1", folder)
    return load_key(folder / "s1._domainkey.shop.example.pem", 2048, 0)


def sign(message: bytes, key: Key) -> bytes:
    now = int(time.time())
    return UnsignedMessage.of(message).sign(key, now, now + 432_000) + message


def verifies(signed: bytes, key: Key) -> bool:
    return bool(dkim.verify(signed, dnsfunc=lambda name, timeout=5: key.dns_record.encode()))


def test_a_signed_message_verifies(key: Key) -> None:
    assert verifies(sign(MESSAGE, key), key)


def test_both_forms_of_input_give_the_same_signature(key: Key) -> None:
    header_block, _, body = MESSAGE.partition(b"\r\n\r\n")

    apart = UnsignedMessage(header_block + b"\r\n", body_sha256(body)).sign(key, 1, 2)

    assert apart == UnsignedMessage.of(MESSAGE).sign(key, 1, 2)


def test_it_is_rsa_sha256_relaxed_without_length_and_expires(key: Key) -> None:
    signature = UnsignedMessage.of(MESSAGE).sign(key, 1_000, 433_000)
    tags = dict(
        tag.strip().split(b"=", 1) for tag in signature.partition(b":")[2].replace(b"\r\n", b"").split(b";")
    )

    assert tags[b"a"] == b"rsa-sha256"
    assert tags[b"c"] == b"relaxed/relaxed"
    assert (tags[b"t"], tags[b"x"]) == (b"1000", b"433000")
    assert b"l" not in tags
    assert signature.endswith(b"\r\n")
    assert max(map(len, signature.split(b"\r\n"))) <= 78


@pytest.mark.parametrize(
    "field",
    [b"From", b"To", b"Cc", b"Subject", b"Date", b"Reply-To", b"List-Unsubscribe", b"Content-Type"],
)
def test_a_field_that_was_added_breaks_the_signature(key: Key, field: bytes) -> None:
    signed = sign(MESSAGE, key)

    assert not verifies(field + b": evil@evil.example\r\n" + signed, key)


def test_changed_content_breaks_the_signature(key: Key) -> None:
    assert not verifies(sign(MESSAGE, key).replace(b"Bye", b"Buy"), key)


@settings(max_examples=60, deadline=None)
@given(
    body=st.lists(st.text("ab \t.=", max_size=12), max_size=6).map(lambda lines: "\r\n".join(lines)),
    subject=st.text("ab \t:;=", max_size=30),
)
def test_whatever_the_white_space_dkimpy_agrees(key: Key, body: str, subject: str) -> None:
    message = f"From: a@shop.example\r\nSubject: {subject}\r\n\r\n{body}\r\n".encode()

    assert verifies(sign(message, key), key)


def test_a_key_shows_itself_nowhere(key: Key) -> None:
    assert "private" not in repr(key).lower()
    assert "BEGIN" not in repr(key) + str(key)
