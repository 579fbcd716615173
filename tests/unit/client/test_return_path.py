"""Signed return paths: they name their message to who has the key, and to nobody else."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emta.return_path import ForgedError, MessageName, ReturnPaths

KEY, OLD_KEY, FOREIGN_KEY = b"k" * 32, b"o" * 32, b"f" * 32
PATHS = ReturnPaths([KEY])
PLAIN = MessageName("default", "4711", "81726354")
LONGEST_NUMBER = "9" * 18

_IDENTIFIER = st.text(string.ascii_letters + string.digits + "-_./~!", min_size=1, max_size=10)
_NAMES = st.builds(
    MessageName,
    st.sampled_from(["default", "acme"]),
    st.one_of(_IDENTIFIER, st.integers(0, 10**18).map(str)),
    st.one_of(_IDENTIFIER, st.integers(0, 10**18).map(str)),
    st.integers(1, 300),
)


@given(_NAMES)
def test_an_address_names_its_message(name: MessageName) -> None:
    local = PATHS.local_part(name)

    assert PATHS.read(f"{local}@bounces.shop.example") == name


@given(_NAMES)
def test_a_local_part_fits_and_survives_folding_to_either_case(name: MessageName) -> None:
    local = PATHS.local_part(name)

    assert len(local) <= 64
    assert set(local) <= set(string.ascii_lowercase + "234567+")
    assert PATHS.read(f"{local.upper()}@B.SHOP.EXAMPLE") == name


@given(_NAMES, st.data())
def test_one_changed_character_makes_a_forgery(name: MessageName, data: st.DataObject) -> None:
    local = PATHS.local_part(name)
    at = data.draw(st.integers(2, len(local) - 1))
    other = data.draw(st.sampled_from(string.ascii_lowercase + "234567").filter(lambda c: c != local[at]))

    with pytest.raises(ForgedError):
        PATHS.read(f"{local[:at]}{other}{local[at + 1 :]}@b.shop.example")


@given(_NAMES, st.integers(18, 63))
def test_a_truncated_address_is_no_one_elses(name: MessageName, length: int) -> None:
    local = PATHS.local_part(name)[:-1][:length]

    with pytest.raises(ForgedError):
        PATHS.read(f"{local}@b.shop.example")


@given(st.text(string.ascii_lowercase + "234567", min_size=16, max_size=80))
def test_no_made_up_token_is_believed(token: str) -> None:
    with pytest.raises(ForgedError):
        PATHS.read(f"b+{token}@b.shop.example")


@given(st.text(max_size=100))
def test_other_addresses_are_none_of_ours(address: str) -> None:
    if "b+" not in address.lower():
        assert PATHS.read(address) is None


@pytest.mark.parametrize(
    ("delivery", "message"),
    [
        ("4711", "1"),
        ("DM1234567", "987654321"),
        (LONGEST_NUMBER, LONGEST_NUMBER),
        ("0c6e5d2a-5d3b-4c55-8f1e-2b1a6f8d9e01", "f2b1d9aa-1111-4222-8333-444455556666"),
        ("spring-sale-2026", "000000000017"),
    ],
)
@pytest.mark.parametrize("epoch", [1, 2])
def test_identifiers_as_callers_make_them_fit(delivery: str, message: str, epoch: int) -> None:
    name = MessageName("default", delivery, message, epoch)

    local = PATHS.local_part(name)

    assert len(local) <= 64
    assert PATHS.read(f"{local}@b.shop.example") == name


def test_campaigns_identifiers_make_a_short_address() -> None:
    # A forwarder that rewrites the sender (SRS) puts its own domain and some 15 characters before it.
    assert len(PATHS.local_part(PLAIN)) <= 32


def test_identifiers_that_are_too_long_are_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        PATHS.local_part(MessageName("default", "d" * 20, "m" * 20))


def test_a_foreign_key_makes_a_forgery() -> None:
    with pytest.raises(ForgedError):
        PATHS.read(f"{ReturnPaths([FOREIGN_KEY]).local_part(PLAIN)}@b.shop.example")


def test_the_first_key_signs_and_all_are_believed() -> None:
    before, after = ReturnPaths([OLD_KEY]), ReturnPaths([KEY, OLD_KEY])

    assert after.local_part(PLAIN) == PATHS.local_part(PLAIN)
    assert after.read(f"{before.local_part(PLAIN)}@b.example") == PLAIN
    with pytest.raises(ForgedError):
        before.read(f"{after.local_part(PLAIN)}@b.example")


@pytest.mark.parametrize(
    "rewritten",
    [
        "SRS0=HHHH=TT=b.shop.example={local}@forwarder.example",
        "prvs=0123456789={local}@b.shop.example",
        "<{local}@b.shop.example>",
    ],
)
def test_rewritten_addresses_are_recognised(rewritten: str) -> None:
    assert PATHS.read(rewritten.format(local=PATHS.local_part(PLAIN))) == PLAIN


def test_keys_are_long_and_never_told() -> None:
    with pytest.raises(ValueError, match="32 characters") as caught:
        ReturnPaths.parse(f"{'k' * 32}, too-short")

    assert "too-short" not in str(caught.value)
    assert "kkk" not in repr(ReturnPaths.parse("k" * 32))


def test_the_same_message_always_has_the_same_address() -> None:
    # Greylists know a sender by it.
    assert PATHS.local_part(PLAIN) == PATHS.local_part(PLAIN)
