"""What goes over the wire for one message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.relay.transaction import Transaction, mail_arguments, missing_extensions, wire_chunks


def transaction(*, needs_8bitmime: bool = False, needs_smtputf8: bool = False) -> Transaction:
    return Transaction("a@example.com", "b@example.org", b"x" * 10, needs_8bitmime, needs_smtputf8)


@pytest.mark.parametrize(
    ("needs", "offered", "arguments"),
    [
        ({}, (), [b"FROM:<a@example.com>"]),
        ({}, ("size", "8bitmime", "smtputf8"), [b"FROM:<a@example.com>", b"SIZE=10"]),
        (
            {"needs_8bitmime": True, "needs_smtputf8": True},
            ("8bitmime", "smtputf8"),
            [b"FROM:<a@example.com>", b"BODY=8BITMIME", b"SMTPUTF8"],
        ),
    ],
)
def test_mail_has_the_parameters_that_are_needed_and_offered(
    needs: dict[str, bool], offered: tuple[str, ...], arguments: list[bytes]
) -> None:
    assert mail_arguments(transaction(**needs), offered) == arguments


def test_the_null_sender_is_an_empty_path() -> None:
    bounce = Transaction("", "b@example.org", b"x\r\n", False, False)
    assert mail_arguments(bounce, ()) == [b"FROM:<>"]


def test_missing_extensions_are_named() -> None:
    needy = transaction(needs_8bitmime=True, needs_smtputf8=True)
    assert missing_extensions(needy, ()) == ["8BITMIME", "SMTPUTF8"]
    assert missing_extensions(needy, ("8bitmime",)) == ["SMTPUTF8"]
    assert missing_extensions(transaction(), ()) == []


@given(
    st.lists(st.sampled_from([b".", b"..", b"\r\n", b"a", b"\r\n.\r\n", b"\xff"])),
    st.integers(min_value=1, max_value=7),
)
def test_a_receiver_that_unstuffs_gets_the_content_byte_for_byte(pieces: list[bytes], size: int) -> None:
    content = b"".join(pieces) + b"\r\n"
    wire = b"".join(wire_chunks(content, size))
    received = []
    for line in wire.split(b"\r\n"):
        if line == b".":
            break
        received.append(line.removeprefix(b"."))
    assert b"\r\n".join(received) + b"\r\n" == content
    # ... and nothing follows the final dot.
    assert wire.find(b"\r\n.\r\n", len(wire) - 5) == len(wire) - 5
