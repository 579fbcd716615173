"""How much waits for a site, and how much more may be claimed for it."""

from __future__ import annotations

import pytest

from services.relay.backlog import Backlog
from services.relay.mx_rules import MxRule, Site

USUAL = 50


def site(name: str = "s", *, connections: int = 5, rate: float | None = None) -> Site:
    return Site(name, MxRule(name, (f"*.{name}.example",), connections, 10, rate, "test"))


def fill(backlog: Backlog, to: Site, messages: int, domain: str = "b.example") -> None:
    for _ in range(messages):
        backlog.add(domain, to)


@pytest.mark.parametrize(
    ("to", "most"),
    [
        (site(connections=2), 40),
        (site(connections=100), 60),  # three connections of this process
        (site(rate=1.0), 30),
        (site(rate=0.001), 1),
    ],
)
def test_what_waits_is_what_the_site_can_take_soon(to: Site, most: int) -> None:
    backlog = Backlog(connections=3)
    fill(backlog, to, 1)

    assert backlog.room(usual=1_000) == {"b.example": most - 1}


def test_only_what_has_less_room_than_usual_is_an_exception() -> None:
    backlog, large, small = (
        Backlog(connections=10),
        site("large", connections=10),
        site("small", connections=1),
    )
    fill(backlog, large, 1, "large.example")
    fill(backlog, small, 30, "small.example")

    assert backlog.room(USUAL) == {"small.example": 0}


def test_domains_of_a_site_share_its_room() -> None:
    backlog, to = Backlog(connections=1), site()
    fill(backlog, to, 5, "a.example")
    fill(backlog, to, 6, "b.example")

    assert backlog.room(USUAL) == {"a.example": 9, "b.example": 9}


def test_what_left_is_forgotten() -> None:
    backlog, to = Backlog(connections=1), site()
    fill(backlog, to, 2)

    backlog.remove("b.example", to)
    assert backlog.room(USUAL) == {"b.example": 19}
    backlog.remove("b.example", to)
    assert backlog.room(USUAL) == {}


def test_a_site_is_full_with_twice_of_what_it_can_take_soon() -> None:
    backlog, to = Backlog(connections=1), site()

    fill(backlog, to, 40)
    assert not backlog.is_full(to)
    fill(backlog, to, 1)
    assert backlog.is_full(to)
