"""Texts without their variable parts, which are the keys of rows: what they are must never change."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.bounce.reply.normalize import key, normalized


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<jo.doe@shop.example>: User unknown", "<*>: User unknown"),
        ('"jo+doe"@shop.example \n  is\tclosed ', "* is closed"),
        ("host [192.0.2.17] or 192.0.2.0/24, 2001:db8::17", "host [#xxx#] or #xxx#, #xxx#"),
        ("on 24.11.2026 at 10:11:12", "on #xxx# at #xxx#"),
        ("mailbox of 10 MB, 550 5.1.1 (S3150)", "mailbox of 10 MB, #xxx# #xxx# (S3150)"),
        ("session q12si1234567qkp is over", "session #xxx# is over"),
        ("call +49 (89) 123 45 67, now", "call #xxx#, now"),
        ("call 0 1 2 3 4 and 5 6", "call #xxx# and 5 6"),
        ("用户1234 zu 99%", "用户1234 zu 99%"),
    ],
)
def test_variable_parts_are_marked(text: str, expected: str) -> None:
    assert normalized(550, "5.1.1", text) == f"550 5.1.1 {expected}"


def test_codes_that_are_missing_leave_no_gap() -> None:
    assert normalized(0, "", "quota") == "quota"
    assert normalized(452, "", "quota") == "452 quota"


def test_the_key_is_the_md5_of_the_text() -> None:
    assert key("550 5.1.1 <*>: User unknown") == "bad6ca8a9e84b9443ed625e7b9182673"


# A telephone number has spaces within: a text with one is looked at as a whole, others word by word.
@given(
    st.text(st.sampled_from("ab1290.:@-+=_<[(/\"' \u00e9用\u0661#*~,"), max_size=60) | st.text(max_size=60)
)
def test_what_stands_beside_a_word_does_not_matter(text: str) -> None:
    alone = normalized(0, "", text)

    assert normalized(0, "", f"{text} | +1 (555) 123-4567") == f"{alone} | #xxx#".lstrip()
