"""Rates in words."""

import pytest

from emta.cli.sites import rate
from emta.relay.v1.site_pb2 import MxRule


@pytest.mark.parametrize(
    ("per_second", "shown"),
    [
        (None, "-"),
        (100, "100/s"),
        (1.5, "1.5/s"),
        (1, "1/s"),
        (0.2, "12/min"),
        (0.5, "30/min"),
        (1 / 60, "1/min"),
        (10 / 3600, "10/h"),
        (5 / 86_400, "5/day"),
    ],
)
def test_a_rate_is_shown_in_the_unit_that_makes_it_at_least_one(
    per_second: float | None, shown: str
) -> None:
    assert rate(MxRule(messages_per_second=per_second)) == shown
