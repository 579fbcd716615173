"""The relaxed canonical form of bodies; dkimpy is the oracle."""

from __future__ import annotations

import hashlib

import pytest
from dkim.canonicalization import Relaxed
from hypothesis import given, settings
from hypothesis import strategies as st

from emta.signing import body_sha256, split

PIECES = st.sampled_from([b"a", b"b.", b" ", b"  ", b"\t", b"\r\n", b"\r", b"\n", b"\x0b", b"\xc3\xa9"])


def expected(body: bytes) -> bytes:
    return hashlib.sha256(Relaxed.canonicalize_body(body)).digest()


@settings(max_examples=2_000, deadline=None)
@given(st.lists(PIECES, max_size=14).map(b"".join))
def test_whatever_the_body_dkimpy_agrees(body: bytes) -> None:
    assert body_sha256(body) == expected(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\r\n",
        b"\r\n" * 9,
        b" ",
        b" \r\n",
        b"a",
        b"a\r\n\r\n",
        b"a \t \r\n b\t\tc\r\n",
        b"\r\r\n\r\r\n",
    ],
)
def test_the_edges(body: bytes) -> None:
    assert body_sha256(body) == expected(body)


def test_a_megabyte_of_spaces_or_of_empty_lines_is_no_trouble() -> None:
    for body in (b"x" + b" " * 2**20 + b"\r\n", b"x" + b"\r\n" * 2**20):
        assert body_sha256(body) == expected(b"x\r\n")


@pytest.mark.parametrize(
    ("content", "header", "body"),
    [
        (b"A: 1\r\nB: 2\r\n\r\ntext\r\n", b"A: 1\r\nB: 2\r\n", b"text\r\n"),
        (b"A: 1\r\n\r\n", b"A: 1\r\n", b""),
        (b"A: 1\r\n\r\n\r\n\r\nx", b"A: 1\r\n", b"\r\n\r\nx"),
    ],
)
def test_a_message_is_split_at_its_first_empty_line(content: bytes, header: bytes, body: bytes) -> None:
    assert split(content) == (header, body)
