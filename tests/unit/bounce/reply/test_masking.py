"""What rules see of a reply."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.bounce.reply.masking import LONGEST, VARIABLE, masked


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("<jo.doe+x@shop.example>: User unknown", "<*>: User unknown"),
        ("mailto:jo@shop.example is closed", "mailto:* is closed"),
        ('<"jo doe"@shop.example>: User unknown', "<*>: User unknown"),
        ('"jo.doe"@shop.example is "closed"', '* is "closed"'),
        ('no \u201cuser\u201d \u201cjo \\" doe\u201d@[192.0.2.1]', 'no "user" *[#xxx#]'),
        ("<o'neill@shop.example> 'jo@shop.example'", "<*> '*'"),
        ("https://shop.example/?e=jo%2Bx%40shop.example&from=x", "https://shop.example/?e=*&from=x"),
        ("see https://a.example/?e=jo.doe%2540shop.example.", "see https://a.example/?e=*."),
        ("jo(at)shop.example, jo[at]shop.example", "*, *"),
        ("<jo.doe at shop.example>: unknown", "<*>: unknown"),
        ("<jo1234567\n at  shop.example> unknown", "<*> unknown"),
        ("Client host [192.0.2.17] blocked", "Client host [#xxx#] blocked"),
        ("Client host [2001:db8::17] blocked", "Client host [#xxx#] blocked"),
        ("queued as 4F2B81C0A2", "queued as #xxx#"),
        ("d2e1a72fcca58-7f8a12b34c5si1234567pgl.123 - gsmtp", "#xxx# - gsmtp"),
        ("1nQxyz-0001Ab-2C rejected", "#xxx# rejected"),
        ("[AM0PR01MB1234.eurprd01.prod.outlook.com]", "[#xxx#.eurprd01.prod.outlook.com]"),
        ("on 2026-11-24 at 2026-11-24T10:11:12.345Z", "on #xxx# at #xxx#"),
        ("size 12345678 is over 10485760", "size #xxx# is over #xxx#"),
        ("try again in 300 seconds or 5min", "try again in #xxx# seconds or #xxx#min"),
    ],
)
def test_what_differs_from_reply_to_reply_is_masked(text: str, seen: str) -> None:
    assert masked(text) == seen


@pytest.mark.parametrize(
    "text",
    [
        "block list (S3150).",
        "OFR005_505 [505]",
        "[TSS04] IPTS04 RP-001",
        "BL000010 RL000001",
        "5.1.1 #5.7.606 4.16.55",
        "blocked using zen.spamhaus.org",
        "https://support.google.com/mail/?p=NoSuchUser",
        "AUP#1310 AS(7555) IB504",
        "mailbox at shop.example <see us at home>",
        'said "no" (blocked at zen.spamhaus.org), 40% full, 99%400',
        "data(at) [at] rest",
        "用户不存在550错误",
        "Ящик переполнен",
    ],
)
def test_what_tells_something_stays(text: str) -> None:
    assert masked(text) == text


def test_white_space_and_typography_are_made_plain() -> None:
    assert masked("user\n doesn\u2019t\t exist\u3000here") == "user doesn't exist here"


def test_decomposed_letters_are_composed() -> None:
    assert masked("boi\u0302te pleine") == "boîte pleine"


def test_numbers_beside_chinese_words_do_not_take_the_words_along() -> None:
    assert "用户不存在" in masked("用户不存在1234567890abc12,用户")


def test_nothing_beyond_the_limit_is_looked_at() -> None:
    assert len(masked("\ufdfa " * LONGEST)) <= LONGEST


@given(
    st.text(st.sampled_from("aB1.5:@-=_<[(/ \n\u00e9用#*\"'%"), max_size=80)
    | st.lists(st.sampled_from(["%40", " at ", "<", ">", '"', "a", "b.c", "@", " ", "(at)"])).map("".join)
    | st.text(max_size=80)
)
def test_masking_twice_changes_nothing_more(text: str) -> None:
    once = masked(text)

    assert masked(once) == once


@given(st.from_regex(r"[a-z0-9.+_-]{1,20}@[a-z0-9-]{1,20}\.[a-z]{2,6}", fullmatch=True))
def test_no_address_survives(address: str) -> None:
    assert "@" not in masked(f"<{address}>... rejected, {address};{address}")


@given(st.text("0123456789abcXYZ", min_size=1, max_size=24))
def test_the_longer_a_word_the_fewer_groups_of_digits_make_it_an_identifier(word: str) -> None:
    groups, length = len(re.findall("[0-9]+", word)), len(word)
    enough = 3 if length < 12 else 2 if length < 16 else 1
    identifier = length >= 6 if word.isdigit() else length >= 8 and groups >= enough

    assert masked(word) == (VARIABLE if identifier else word)
