"""The wait that a reply states."""

import pytest

from services.bounce.reply.masking import masked
from services.bounce.reply.wait import may_state_wait, stated_wait

STATED = [
    ("Greylisted, try again in 300 seconds", 300),
    ("please retry in 5 minutes", 300),
    ("try again after at least 2 hours", 7_200),
    ("wait 90s", 90),
    ("come back\n in  60\nsec", 60),
    ("retry in 00:04:59", 299),
    ("bitte in 10 Minuten erneut versuchen", 600),
    ("nach 2 Stunden", 7_200),
    ("réessayez dans 15 minutes", 900),
]


@pytest.mark.parametrize(("text", "seconds"), STATED)
def test_a_stated_wait_is_read(text: str, seconds: int) -> None:
    assert stated_wait(text) == seconds
    # Else a remembered answer would give one reply's wait to another.
    assert may_state_wait(masked(text))


@pytest.mark.parametrize(
    "text", ["try again later", "in 0 seconds", "in 100 hours", "more than 5 recipients"]
)
def test_what_states_none_or_too_long_a_wait(text: str) -> None:
    assert stated_wait(text) is None
