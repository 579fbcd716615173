"""How much waits for a site, and how much more may be claimed for it."""

from __future__ import annotations

import pytest

from services.relay.backlog import CLAIM_OF_A_DOMAIN, Backlog
from services.relay.mx_rules import MxRule, Site

NOW_MS = 1_000_000


def site(name: str = "s", *, connections: int = 5, rate: float | None = None) -> Site:
    return Site(name, MxRule(name, (f"*.{name}.example",), connections, 10, rate, "test"))


def fill(backlog: Backlog, to: Site, messages: int, domain: str = "b.example") -> None:
    for _ in range(messages):
        backlog.expect(domain)
        backlog.add(domain, to)


def pass_through(
    backlog: Backlog, to: Site, messages: int, *, a_second: float, from_ms: int = NOW_MS
) -> int:
    """So many leave, and as many come in their places; gives when."""
    now_ms = from_ms
    for number in range(messages):
        now_ms = from_ms + round(number / a_second * 1000)
        backlog.took(to, now_ms)
        backlog.remove("b.example", to)
        fill(backlog, to, 1)
    return now_ms


@pytest.mark.parametrize(
    ("to", "most"),
    [
        (site(connections=2), 12),
        (site(connections=100), 18),  # three connections of this process
        (site(rate=1.0), 18),
        (site(rate=0.5), 15),
        (site(rate=0.001), 1),
    ],
)
def test_what_waits_keeps_the_connections_of_a_site_busy(to: Site, most: int) -> None:
    backlog = Backlog(connections=3)
    fill(backlog, to, 1)

    assert backlog.room(NOW_MS) == {"b.example": most - 1}


def test_connections_to_all_routes_of_a_site_are_kept_busy_as_far_as_its_rule_goes() -> None:
    backlog, to = Backlog(connections=1), site(connections=3)
    fill(backlog, to, 1)

    for most in (1 * 6, 2 * 6, 3 * 6, 3 * 6):
        backlog.lane_opened(to)
        assert backlog.room(NOW_MS) == {"b.example": most - 1}
    for most in (3 * 6, 2 * 6, 1 * 6):
        backlog.lane_closed(to)
        assert backlog.room(NOW_MS) == {"b.example": most - 1}


def test_of_a_fast_site_waits_what_it_takes_in_a_second() -> None:
    backlog, to = Backlog(connections=2), site()
    fill(backlog, to, 490)

    now_ms = pass_through(backlog, to, 5_000, a_second=500)

    assert backlog.room(now_ms) == {"b.example": pytest.approx(500 - 490, abs=2)}


def test_a_site_that_slows_down_gets_less() -> None:
    backlog, to = Backlog(connections=2), site()
    fill(backlog, to, 1)
    now_ms = pass_through(backlog, to, 5_000, a_second=500)

    now_ms = pass_through(backlog, to, 100, a_second=5, from_ms=now_ms)

    assert backlog.room(now_ms) == {"b.example": 12 - 1}


def test_a_site_that_falls_silent_gets_less() -> None:
    backlog, to = Backlog(connections=2), site()
    fill(backlog, to, 1)
    now_ms = pass_through(backlog, to, 5_000, a_second=500)

    assert backlog.room(now_ms + 10_000) == {"b.example": 12 - 1}


def test_what_leaves_without_having_been_there_says_nothing_about_a_site() -> None:
    """All that waits shares the result of a connection that could not be opened."""
    backlog, to = Backlog(connections=2), site()
    fill(backlog, to, 501)

    for _ in range(500):
        backlog.remove("b.example", to)

    assert backlog.room(NOW_MS) == {"b.example": 12 - 1}


def test_only_what_has_less_room_than_usual_is_an_exception() -> None:
    backlog, large, small = (
        Backlog(connections=10),
        site("large", connections=10),
        site("small", connections=1),
    )
    fill(backlog, large, 1, "large.example")
    fill(backlog, small, 10, "small.example")

    assert backlog.room(NOW_MS) == {"small.example": 0}


def test_domains_of_a_site_share_its_room() -> None:
    backlog, to = Backlog(connections=3), site()
    fill(backlog, to, 5, "a.example")
    fill(backlog, to, 6, "b.example")

    assert backlog.room(NOW_MS) == {"a.example": 7, "b.example": 7}


def test_what_is_expected_takes_room_of_its_site() -> None:
    backlog, to = Backlog(connections=3), site()
    fill(backlog, to, 1, "a.example")
    fill(backlog, to, 1, "b.example")
    for _ in range(4):
        backlog.expect("a.example")

    assert backlog.room(NOW_MS) == {"a.example": 12, "b.example": 12}


def test_of_an_unknown_domain_two_claims_are_expected_at_most() -> None:
    backlog = Backlog(connections=3)
    for _ in range(CLAIM_OF_A_DOMAIN + 1):
        backlog.expect("a.example")
    assert backlog.room(NOW_MS) == {"a.example": CLAIM_OF_A_DOMAIN - 1}

    for _ in range(CLAIM_OF_A_DOMAIN):
        backlog.expect("a.example")
    assert backlog.room(NOW_MS) == {"a.example": 0}

    for _ in range(CLAIM_OF_A_DOMAIN + 1):
        backlog.unexpected("a.example")
    assert backlog.room(NOW_MS) == {}


def test_what_left_is_forgotten() -> None:
    backlog, to = Backlog(connections=1), site()
    fill(backlog, to, 2)

    backlog.remove("b.example", to)
    assert backlog.room(NOW_MS) == {"b.example": 5}
    backlog.remove("b.example", to)
    assert backlog.room(NOW_MS) == {}


@pytest.mark.parametrize(("connections", "most"), [(1, 50), (10, 120)])
def test_a_site_is_full_with_twice_of_what_is_claimed_in_advance(connections: int, most: int) -> None:
    backlog, to = Backlog(connections), site(connections=10)

    fill(backlog, to, most)
    assert not backlog.is_full(to, NOW_MS)
    fill(backlog, to, 1)
    assert backlog.is_full(to, NOW_MS)
