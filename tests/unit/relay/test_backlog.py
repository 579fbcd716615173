"""How much waits for a site, and how much more may be claimed for it."""

from __future__ import annotations

import pytest

from services.relay.backlog import Backlog
from services.relay.mx_rules import MxRule, Site

USUAL = 25
NOW_MS = 1_000_000


def site(name: str = "s", *, connections: int = 5, rate: float | None = None) -> Site:
    return Site(name, MxRule(name, (f"*.{name}.example",), connections, 10, rate, "test"))


def fill(backlog: Backlog, to: Site, messages: int, domain: str = "b.example") -> None:
    for _ in range(messages):
        backlog.expect(domain)
        backlog.add(domain, to)


def pass_through(backlog: Backlog, to: Site, messages: int, *, a_second: float) -> None:
    """So many leave, and as many come in their places."""
    for number in range(messages):
        backlog.remove("b.example", to, NOW_MS + round(number / a_second * 1000))
        fill(backlog, to, 1)


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

    assert backlog.room(usual=1_000) == {"b.example": most - 1}


def test_connections_to_all_routes_of_a_site_are_kept_busy_as_far_as_its_rule_goes() -> None:
    backlog, to = Backlog(connections=5), site(connections=12)
    fill(backlog, to, 1)

    for most in (5 * 6, 10 * 6, 12 * 6):
        backlog.lane_opened(to)
        assert backlog.room(usual=1_000) == {"b.example": most - 1}
    for most in (10 * 6, 5 * 6):
        backlog.lane_closed(to)
        assert backlog.room(usual=1_000) == {"b.example": most - 1}


def test_of_a_fast_site_waits_what_it_takes_in_a_second() -> None:
    backlog, to = Backlog(connections=2), site()
    fill(backlog, to, 1)

    pass_through(backlog, to, 5_000, a_second=500)

    assert backlog.room(usual=1_000) == {"b.example": pytest.approx(500 - 1, abs=2)}


def test_a_site_that_slows_down_gets_less() -> None:
    backlog, to = Backlog(connections=2), site()
    fill(backlog, to, 1)
    pass_through(backlog, to, 5_000, a_second=500)

    pass_through(backlog, to, 100, a_second=5)

    assert backlog.room(usual=1_000) == {"b.example": 12 - 1}


def test_only_what_has_less_room_than_usual_is_an_exception() -> None:
    backlog, large, small = (
        Backlog(connections=10),
        site("large", connections=10),
        site("small", connections=1),
    )
    fill(backlog, large, 1, "large.example")
    fill(backlog, small, 10, "small.example")

    assert backlog.room(USUAL) == {"small.example": 0}


def test_domains_of_a_site_share_its_room() -> None:
    backlog, to = Backlog(connections=3), site()
    fill(backlog, to, 5, "a.example")
    fill(backlog, to, 6, "b.example")

    assert backlog.room(USUAL) == {"a.example": 7, "b.example": 7}


def test_what_is_expected_takes_room_of_its_site() -> None:
    backlog, to = Backlog(connections=3), site()
    fill(backlog, to, 1, "a.example")
    fill(backlog, to, 1, "b.example")
    for _ in range(4):
        backlog.expect("a.example")

    assert backlog.room(USUAL) == {"a.example": 12, "b.example": 12}


def test_of_an_unknown_domain_two_claims_are_expected_at_most() -> None:
    backlog = Backlog(connections=3)
    for _ in range(USUAL + 1):
        backlog.expect("a.example")
    assert backlog.room(USUAL) == {"a.example": USUAL - 1}

    for _ in range(USUAL):
        backlog.expect("a.example")
    assert backlog.room(USUAL) == {"a.example": 0}

    for _ in range(USUAL + 1):
        backlog.unexpected("a.example")
    assert backlog.room(USUAL) == {}


def test_what_left_is_forgotten() -> None:
    backlog, to = Backlog(connections=1), site()
    fill(backlog, to, 2)

    backlog.remove("b.example", to, NOW_MS)
    assert backlog.room(USUAL) == {"b.example": 5}
    backlog.remove("b.example", to, NOW_MS)
    assert backlog.room(USUAL) == {}


def test_a_site_is_full_with_twice_of_what_it_can_take_soon() -> None:
    backlog, to = Backlog(connections=1), site()

    fill(backlog, to, 12)
    assert not backlog.is_full(to)
    fill(backlog, to, 1)
    assert backlog.is_full(to)
