"""What goes over the wire for one message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.relay.transaction import Transaction, envelope, missing_extensions, stuffed


def transaction(*, needs_8bitmime: bool = False, needs_smtputf8: bool = False) -> Transaction:
    return Transaction("a@example.com", "b@example.org", b"s" * 4, b"x" * 6, needs_8bitmime, needs_smtputf8)


@pytest.mark.parametrize(
    ("needs", "offered", "mail"),
    [
        ({}, (), b"MAIL FROM:<a@example.com>\r\n"),
        ({}, ("size", "8bitmime", "smtputf8"), b"MAIL FROM:<a@example.com> SIZE=10\r\n"),
        (
            {"needs_8bitmime": True, "needs_smtputf8": True},
            ("8bitmime", "smtputf8"),
            b"MAIL FROM:<a@example.com> BODY=8BITMIME SMTPUTF8\r\n",
        ),
    ],
)
def test_mail_has_the_parameters_that_are_needed_and_offered(
    needs: dict[str, bool], offered: tuple[str, ...], mail: bytes
) -> None:
    assert envelope(transaction(**needs), offered) == (mail, b"RCPT TO:<b@example.org>\r\n")


def test_the_null_sender_is_an_empty_path() -> None:
    bounce = Transaction("", "b@example.org", b"", b"x\r\n", False, False)
    assert envelope(bounce, ())[0] == b"MAIL FROM:<>\r\n"


def test_missing_extensions_are_named() -> None:
    needy = transaction(needs_8bitmime=True, needs_smtputf8=True)
    assert missing_extensions(needy, ()) == ["8BITMIME", "SMTPUTF8"]
    assert missing_extensions(needy, ("8bitmime",)) == ["SMTPUTF8"]
    assert missing_extensions(transaction(), ()) == []


@given(st.lists(st.sampled_from([b".", b"..", b"", b"a", b".a", b"a.", b". "]), max_size=20))
def test_what_is_stuffed_is_what_is_taken_out_again(lines: list[bytes]) -> None:
    content = b"".join(line + b"\r\n" for line in lines)
    wire = b"".join(stuffed(Transaction("", "b@example.org", b"DKIM: x\r\n", content, False, False)))

    sent = wire.split(b"\r\n")
    assert b"." not in sent
    received = b"\r\n".join(line[1:] if line.startswith(b".") else line for line in sent)
    assert received == b"DKIM: x\r\n" + content
