"""Until when a message may be tried (contract 4.1)."""

from __future__ import annotations

import pytest

from emta.problems import Problem
from services.relay.validity import CAP_MS, Validity, effective

DAY = 86_400_000


@pytest.mark.parametrize(
    ("validity", "limit", "expected"),
    [
        (None, None, Validity(CAP_MS, clamped=False)),
        (DAY, None, Validity(DAY, clamped=False)),
        (CAP_MS, None, Validity(CAP_MS, clamped=False)),
        (CAP_MS + 1, None, Validity(CAP_MS, clamped=True)),
        (5 * DAY, None, Validity(302_400_000, clamped=True)),
        (DAY, DAY // 2, Validity(DAY // 2, clamped=False)),
        (DAY, 2 * DAY, Validity(DAY, clamped=False)),
        (None, 5 * DAY, Validity(CAP_MS, clamped=False)),
    ],
)
def test_the_shorter_of_validity_cap_and_limit_counts(
    validity: int | None, limit: int | None, expected: Validity
) -> None:
    assert effective(0, validity, limit, None) == expected


@pytest.mark.parametrize(
    ("validity", "limit", "not_before", "reason"),
    [
        (0, None, None, "VALIDITY_NOT_POSITIVE"),
        (-1, None, None, "VALIDITY_NOT_POSITIVE"),
        (None, 1000, None, "LIMIT_PASSED"),
        (DAY, None, 1000 + DAY, "NOT_BEFORE_AFTER_DEADLINE"),
    ],
)
def test_what_cannot_be_is_refused(
    validity: int | None, limit: int | None, not_before: int | None, reason: str
) -> None:
    with pytest.raises(Problem) as caught:
        effective(1000, validity, limit, not_before)

    assert caught.value.reason == reason
