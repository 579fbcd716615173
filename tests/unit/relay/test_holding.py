"""What a Relay holds at a site: pure arithmetic, the store's answers given by the test."""

from __future__ import annotations

import pytest

from services.relay.holding import Holding
from services.relay.mx_rules import MxRule, Site
from services.relay.store.limits import Grant, capacity, interval_us

NOW = 1_000_000
LEASE_END = NOW + 27_000


def rule(rate: float | None, connections: int = 5) -> MxRule:
    return MxRule("s", ("*.s.example",), connections, 10, rate, "test")


def holding(rate: float | None = 100.0) -> Holding:
    return Holding(Site("s", rule(rate)))


def granted(it: Holding, held: int = 0, *, surplus: int = 0, tokens: int = 0, now_ms: int = NOW) -> None:
    it.grant(Grant(held, surplus, it.granted + tokens, 0, 0), now_ms, LEASE_END)


@pytest.mark.parametrize(
    ("rate", "microseconds", "tokens"),
    [(None, 0, 1), (100.0, 10_000, 100), (0.2, 5_000_000, 1), (1.5, 666_667, 1), (3.0, 333_334, 3)],
)
def test_tokens_never_come_faster_than_the_rate(rate: float | None, microseconds: int, tokens: int) -> None:
    assert (interval_us(rule(rate)), capacity(rule(rate))) == (microseconds, tokens)


def test_no_more_connections_are_opened_than_are_held_and_none_after_the_lease() -> None:
    it = holding()
    granted(it, 2)

    assert [it.open(NOW), it.open(NOW), it.open(NOW)] == [True, True, False]
    it.close(NOW, recalled=False)
    assert not it.open(LEASE_END)
    assert it.open(LEASE_END - 1)


def test_only_as_many_connections_are_recalled_as_others_have_a_right_to() -> None:
    it = holding()
    granted(it, 3)
    for _ in range(3):
        it.open(NOW)
    granted(it, 3, surplus=2)

    assert [it.recall(), it.recall(), it.recall()] == [True, True, False]
    it.close(NOW, recalled=True)
    it.close(NOW, recalled=True)
    said = it.statement(NOW)

    assert (said.held, said.wanted) == (1, 1)


def test_a_closed_connection_is_kept_for_a_moment_and_then_given_back() -> None:
    it = holding()
    granted(it, 2)
    it.open(NOW)
    it.close(NOW, recalled=False)

    assert it.statement(NOW + 999).held == 2
    assert it.statement(NOW + 1_000).held == 0


def test_what_is_given_up_cannot_be_used_while_the_statement_is_under_way() -> None:
    it = holding()
    granted(it, 2, tokens=5)

    said = it.statement(NOW + 1_000)

    assert (said.held, said.granted) == (0, 0)
    assert not it.open(NOW + 1_000)
    assert not it.take(NOW + 1_000)


def test_the_block_of_tokens_doubles_while_it_is_used_up_and_halves_when_it_is_not() -> None:
    it, asked_for = holding(1_000.0), []
    for _ in range(9):
        it.asked = True
        more = it.statement(NOW).more
        asked_for.append(more)
        granted(it, tokens=more)
        while it.take(NOW):
            pass
    granted(it, tokens=10)
    it.statement(NOW + 1_000)
    it.asked = True

    assert asked_for == [1, 2, 4, 8, 16, 32, 64, 100, 100]
    assert it.statement(NOW + 1_000).more == 50


def test_one_relay_does_not_ask_for_more_than_half_the_bucket() -> None:
    it = holding(10.0)
    for _ in range(5):
        it.asked = True
        granted(it, tokens=it.statement(NOW).more)
        while it.take(NOW):
            pass
    it.asked = True

    assert it.statement(NOW).more == 5


def test_a_token_given_back_is_in_hand_again_unless_the_store_counts_it_as_used() -> None:
    it = holding()
    granted(it, tokens=2)
    it.take(NOW)
    it.give_back(NOW)
    assert (it.granted, it.used) == (2, 0)

    it.take(NOW)
    it.statement(NOW)
    it.give_back(NOW)

    # One fewer of both: the store's bucket has it.
    assert (it.granted, it.used) == (1, 0)


def test_an_answer_that_comes_late_takes_nothing_back_that_was_used_meanwhile() -> None:
    it = holding()
    granted(it, tokens=5)
    it.statement(NOW)
    it.take(NOW)
    it.grant(Grant(0, 0, 0, 0, 0), NOW, LEASE_END)

    assert (it.granted, it.used) == (1, 1)


def test_nothing_is_due_and_all_is_forgotten_when_nothing_is_held_or_wanted() -> None:
    it = holding()
    granted(it, 1)
    it.open(NOW)
    it.close(NOW, recalled=False)
    assert it.due_ms() == NOW + 1_000

    it.statement(NOW + 1_000)
    granted(it)

    assert it.due_ms() is None
    assert it.forgettable
