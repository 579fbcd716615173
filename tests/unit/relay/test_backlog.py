"""How much waits for a site, and how much more may be claimed for it."""

from __future__ import annotations

import pytest

from services.relay.backlog import CLAIM_OF_A_DOMAIN, Backlog
from services.relay.mx_rules import MxRule, Site

NOW_MS = 1_000_000


def site(name: str = "s", *, connections: int = 5, rate: float | None = None) -> Site:
    return Site(name, MxRule(name, (f"*.{name}.example",), connections, 10, rate, "test"))


def fill(
    backlog: Backlog, to: Site, messages: int, domain: str = "b.example", now_ms: int = NOW_MS
) -> None:
    for _ in range(messages):
        backlog.expect(domain)
        backlog.add(domain, to, now_ms)


def pass_through(
    backlog: Backlog, to: Site, messages: int, *, a_second: float, from_ms: int = NOW_MS
) -> int:
    """So many leave, and as many come in their places; gives when."""
    now_ms = from_ms
    for number in range(messages):
        now_ms = from_ms + round(number / a_second * 1000)
        backlog.took(to, now_ms)
        backlog.remove("b.example", to)
        fill(backlog, to, 1, now_ms=now_ms)
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
        backlog.lane_opened(to, NOW_MS)
        assert backlog.room(NOW_MS) == {"b.example": most - 1}
    for most in (3 * 6, 2 * 6, 1 * 6):
        backlog.lane_closed(to)
        assert backlog.room(NOW_MS) == {"b.example": most - 1}


def test_of_a_fast_site_waits_what_it_takes_in_a_second() -> None:
    backlog, to = Backlog(connections=2), site()
    backlog.lane_opened(to, NOW_MS)
    fill(backlog, to, 490)

    now_ms = pass_through(backlog, to, 5_000, a_second=500)

    assert backlog.room(now_ms) == {"b.example": pytest.approx(500 - 490, abs=2)}


def test_a_site_that_slows_down_gets_less() -> None:
    backlog, to = Backlog(connections=2), site()
    backlog.lane_opened(to, NOW_MS)
    fill(backlog, to, 1)
    now_ms = pass_through(backlog, to, 5_000, a_second=500)

    now_ms = pass_through(backlog, to, 100, a_second=5, from_ms=now_ms)

    assert backlog.room(now_ms) == {"b.example": 12 - 1}


def test_a_site_that_falls_silent_gets_less_and_soon_nothing() -> None:
    backlog, to = Backlog(connections=2), site()
    backlog.lane_opened(to, NOW_MS)
    fill(backlog, to, 1)
    now_ms = pass_through(backlog, to, 5_000, a_second=500)

    assert backlog.room(now_ms + 4_000) == {"b.example": 12 - 1}
    assert not backlog.is_full(to, now_ms + 4_000)
    assert backlog.room(now_ms + 5_001) == {"b.example": 1}  # it may have expired
    assert backlog.is_full(to, now_ms + 5_001)

    backlog.connected(to, now_ms + 11_000)
    assert backlog.room(now_ms + 11_000) == {"b.example": 12 - 1}


def test_of_stuck_sites_one_message_after_the_other_is_looked_at() -> None:
    backlog = Backlog(connections=2)
    for name in ("a", "b", "c"):
        backlog.lane_opened(site(name), NOW_MS)
        fill(backlog, site(name), 5, f"{name}.example")

    looks = [backlog.room(NOW_MS + 5_001) for _ in range(3)]

    assert [sorted(room.values()) for room in looks] == [[0, 0, 1]] * 3
    assert {name for room in looks for name, left in room.items() if left} == {
        "a.example",
        "b.example",
        "c.example",
    }


def test_a_site_that_had_nothing_to_do_or_has_a_rate_is_not_stuck() -> None:
    backlog, idle, rated = Backlog(connections=2), site("idle"), site("rated", rate=0.01)
    for to in (idle, rated):
        backlog.lane_opened(to, NOW_MS)
    assert not backlog.is_stuck(idle, NOW_MS + 60_000)

    for to in (idle, rated):
        fill(backlog, to, 1, f"{to.name}.example", NOW_MS + 60_000)

    assert not backlog.is_stuck(idle, NOW_MS + 65_000)
    assert backlog.is_stuck(idle, NOW_MS + 65_001)
    assert not backlog.is_stuck(rated, NOW_MS + 900_000)


def test_what_has_no_room_comes_again_at_the_pace_of_its_site() -> None:
    backlog, to = Backlog(connections=2), site()
    backlog.lane_opened(to, NOW_MS)
    fill(backlog, to, 1)
    now_ms = pass_through(backlog, to, 500, a_second=50)

    due = [backlog.appointment(to, now_ms) - now_ms for _ in range(1_000)]

    assert due == sorted(due)
    assert due[0] == pytest.approx(1_000, abs=20)
    # What takes 20 s, and twice as fast.
    assert due[-1] == pytest.approx(1_000 + 10_000, rel=0.05)


@pytest.mark.parametrize(("stuck_ms", "longest_ms"), [(5_001, 1_250), (40_000, 10_000), (900_000, 60_000)])
def test_what_a_stuck_site_made_wait_comes_again_within_a_quarter_of_the_outage(
    stuck_ms: int, longest_ms: int
) -> None:
    backlog, to = Backlog(connections=2), site()
    backlog.lane_opened(to, NOW_MS)
    fill(backlog, to, 1)
    now_ms = NOW_MS + stuck_ms

    due = [backlog.appointment(to, now_ms) - now_ms for _ in range(1_000)]

    assert min(due) >= 0.5 * longest_ms - 1
    assert 0.95 * longest_ms <= max(due) <= longest_ms


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
