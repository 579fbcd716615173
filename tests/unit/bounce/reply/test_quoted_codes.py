"""Codes that a reply's text holds."""

import pytest

from services.bounce.reply.frame import Frame
from services.bounce.reply.quoted_codes import completed


def codes(text: str, code: int = 0, status: str = "", failure: int = 0) -> tuple[int, str]:
    frame = completed(Frame(code, status, 0, failure, ()), text)
    return frame.code, frame.enhanced


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("host mx.example[#xxx#] said: 550 5.1.1 <*>: User unknown", (550, "5.1.1")),
        ("It responded as follows: [450 4.2.0 Greylisted", (450, "4.2.0")),
        ("SMTP:RCPT host #xxx#: 553 5.3.0 <*>... No such user here", (553, "5.3.0")),
        ("Unknown address error 550-'5.1.1 <*>: rejected", (550, "5.1.1")),
        ("Could not be delivered because of 550 5.1.1 User unknown", (550, "5.1.1")),
        ("Sorry, no mailbox here by that name. (#5.1.1)", (5, "5.1.1")),
        ("Try later. (#4.3.0)", (4, "4.3.0")),
        ("No such user", (5, "")),
        ("over 500 messages since 2001", (5, "")),
    ],
)
def test_missing_codes_are_those_that_the_text_quotes(text: str, found: tuple[int, str]) -> None:
    assert codes(text) == found


def test_codes_that_are_known_stand() -> None:
    assert codes("host x said: 550 5.1.1 unknown", 450, "4.2.0") == (450, "4.2.0")
    assert codes("Sorry (#5.1.1)", 550) == (550, "5.1.1")
    assert codes("Sorry, host x said: 550 5.1.1", 554) == (554, "")


def test_a_failure_without_a_reply_gets_no_code() -> None:
    assert codes("connection lost after 220 hello", failure=7) == (0, "")


def test_an_enhanced_code_alone_tells_the_class() -> None:
    assert codes("later", status="4.2.0") == (4, "4.2.0")
    assert codes("never", status="5.1.1") == (5, "5.1.1")
