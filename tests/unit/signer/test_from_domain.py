"""The domain that signs is that of the first address in From, as A-labels."""

from __future__ import annotations

import pytest

from services.signer.dkim_signature import MessageError, UnsignedMessage


def domain(value: bytes) -> str:
    return UnsignedMessage(b"To: x@y.example\r\nFrom:" + value + b"\r\n", bytes(32)).from_domain()


@pytest.mark.parametrize(
    "value",
    [
        b"a@shop.example",
        b" a@SHOP.Example",
        b" <a@shop.example>",
        b" Shop <a@shop.example>",
        b" Shop, Inc. <a@shop.example>",
        b' "evil@evil.example" <a@shop.example>',
        b" (evil@evil.example) a@shop.example",
        b" =?utf-8?q?evil=40evil=2Eexample?= <a@shop.example>",
        b' "a\\"@evil.example" <a@shop.example>',
        b' "x@evil.example"@shop.example',
        b" <a@shop.example>, <b@other.example>",
        b" Team: a@shop.example, b@other.example;",
        b"\r\n Shop\r\n\t<a@shop.example>",
        b" Jos\xe9 <a@shop.example>",
    ],
)
def test_the_first_address_counts_and_nothing_that_looks_like_one(value: bytes) -> None:
    assert domain(value) == "shop.example"


@pytest.mark.parametrize(
    "value", [b"", b" ", b" Shop", b" <>", b" <a>", b" a@", b" undisclosed-recipients:;"]
)
def test_without_an_address_there_is_no_domain(value: bytes) -> None:
    with pytest.raises(MessageError, match="From holds no address with a domain"):
        domain(value)


def test_other_alphabets_become_a_labels() -> None:
    assert domain(" Bücher <a@BÜCHER.example>".encode()) == "xn--bcher-kva.example"


def test_a_labels_are_those_of_idna_2008() -> None:
    assert domain(" a@straße.example".encode()) == "xn--strae-oqa.example"


@pytest.mark.parametrize(
    "block", [b" From: a@shop.example\r\n", b"From a\r\nno colon\r\n", b"Fr\xfcm: x\r\n"]
)
def test_a_malformed_header_block_is_told_as_such(block: bytes) -> None:
    with pytest.raises(MessageError, match="the header block is malformed"):
        UnsignedMessage(block, bytes(32))
