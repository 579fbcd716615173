"""Numbers of things in words."""

import pytest

from emta.cli.words import count


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "0 messages"), (1, "1 message"), (2, "2 messages"), (1_000, "1,000 messages")]
)
def test_one_of_a_thing_is_singular(number: int, shown: str) -> None:
    assert count(number, "message") == shown
