"""The statistics of the outage guard: exact tails, and what they make of small and large numbers."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from emta.bounce.v1.qualification_pb2 import FailureReason
from services.bounce.guard.outage import (
    Counts,
    Evidence,
    Verdict,
    Watched,
    at_least,
    at_most,
    suspicious,
    usual_share,
    verdict,
)

UNKNOWN = FailureReason.FAILURE_REASON_USER_UNKNOWN
DISABLED = FailureReason.FAILURE_REASON_ACCOUNT_DISABLED
CLEAN = Counts(5_000, 15)
NOTHING = Counts(0, 0)


def rising(x: int, n: int) -> int:
    """x (x + 1) ... (x + n - 1)."""
    product = 1
    for step in range(n):
        product *= x + step
    return product


@given(st.integers(1, 30), st.integers(1, 5), st.integers(20, 60), st.data())
def test_the_beta_binomial_tail_is_exact(of: int, a: int, b: int, data: st.DataObject) -> None:
    hard = data.draw(st.integers(of * a // (a + b) + 1, of))
    exact = sum(
        Fraction(comb(of, x) * rising(a, x) * rising(b, of - x), rising(a + b, of))
        for x in range(hard, of + 1)
    )

    assert at_least(hard, of, a, b) == pytest.approx(float(exact), rel=1e-9)


@given(st.integers(1, 60), st.fractions(Fraction(1, 50), Fraction(49, 50)), st.data())
def test_the_binomial_tail_is_exact(of: int, share: Fraction, data: st.DataObject) -> None:
    hard = data.draw(st.integers(0, of))
    exact = sum(comb(of, x) * share**x * (1 - share) ** (of - x) for x in range(hard + 1))
    wanted = 1.0 if hard >= of * float(share) else float(exact)

    assert at_most(hard, of, float(share)) == pytest.approx(wanted, rel=1e-9)


@given(st.integers(10**4, 10**9), st.integers(10**3, 10**9))
def test_no_numbers_are_too_large(accepted: int, hard: int) -> None:
    share = hard / (accepted + hard)

    if not 0.08 < share < 0.11:
        assert judged(accepted, hard) == (share > 0.09)


def judged(accepted: int, hard: int, usual: Counts = CLEAN, lately: int = 1_000) -> bool:
    return bool(suspicious(Evidence(usual, lately, Counts(accepted, hard), {UNKNOWN: hard})))


@pytest.mark.parametrize(
    ("accepted", "hard"), [(0, 5), (1, 5), (4, 6), (5, 7), (40, 20), (400, 100), (30_000, 10_000)]
)
def test_an_outage_shows_in_small_and_in_large_numbers(accepted: int, hard: int) -> None:
    assert judged(accepted, hard)


@pytest.mark.parametrize(
    ("accepted", "hard"), [(0, 4), (10, 5), (100, 8), (1_000, 60), (100_000, 5_000), (5_000, 15)]
)
def test_what_a_list_loses_is_no_outage(accepted: int, hard: int) -> None:
    assert not judged(accepted, hard)


def test_a_site_is_measured_by_its_own_history() -> None:
    rough = Counts(9_000, 1_000)

    assert judged(40, 20)
    assert not judged(40, 20, usual=rough)
    assert judged(0, 40, usual=rough)


def test_a_site_without_history_is_taken_for_a_usual_one() -> None:
    assert usual_share(NOTHING) == pytest.approx(0.005)
    assert usual_share(Counts(10**6, 0)) == pytest.approx(0.001)
    assert judged(0, 5, usual=NOTHING)


def test_a_site_that_accepted_nothing_lately_opens_no_incident() -> None:
    assert not judged(0, 20, lately=9)
    assert judged(0, 20, lately=10)


def test_only_the_reasons_that_jumped_are_suspicious() -> None:
    evidence = Evidence(CLEAN, 1_000, Counts(10, 22), {UNKNOWN: 20, DISABLED: 2})

    assert suspicious(evidence) == [UNKNOWN]


@given(st.integers(0, 2_000), st.integers(5, 200))
def test_more_refusals_are_never_less_suspicious(accepted: int, hard: int) -> None:
    if judged(accepted, hard):
        assert judged(accepted, hard + 1)


def watched(
    latest: Counts, term: Counts | None = None, *, until_ms: int = 4, usual: Counts = CLEAN
) -> Watched:
    return Watched(
        usual=usual,
        opening=Counts(4, 6),
        latest=latest,
        term=term or latest,
        until_ms=until_ms,
        latest_end_ms=24,
    )


@pytest.mark.parametrize(
    ("latest", "now_ms", "wanted"),
    [
        (Counts(40, 60), 1, Verdict.STAYS),
        (Counts(10, 0), 1, Verdict.STAYS),
        (Counts(20, 0), 1, Verdict.RECOVERED),
        (Counts(2_000, 10), 1, Verdict.RECOVERED),
        # A tenth is refused: much better than it was, and not as it used to be.
        (Counts(900, 100), 1, Verdict.STAYS),
        (Counts(40, 60), 4, Verdict.EXTENDED),
        (Counts(10, 0), 4, Verdict.TIME),
        (NOTHING, 4, Verdict.TIME),
        (Counts(0, 60), 24, Verdict.BELIEVED),
    ],
)
def test_what_becomes_of_an_incident(latest: Counts, now_ms: int, wanted: Verdict) -> None:
    assert verdict(watched(latest), now_ms) == wanted


def test_where_little_is_sent_the_whole_term_counts() -> None:
    assert verdict(watched(NOTHING, Counts(0, 12)), 4) == Verdict.EXTENDED
    assert verdict(watched(NOTHING, Counts(12, 0)), 4) == Verdict.TIME
