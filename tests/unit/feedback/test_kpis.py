"""The figures add up at every moment."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from emta.feedback.v1.delivery_pb2 import DeliveryKpis, DeliveryState
from emta.feedback.v1.log_pb2 import LogEntry, LogStatus
from services.feedback.kpis import changes, kpis
from services.feedback.status import OutcomeError, apply
from tests.support.outcomes import EVENTS, outcome

OPEN = DeliveryState.DELIVERY_STATE_OPEN
CLOSED = DeliveryState.DELIVERY_STATE_CLOSED

Story = list[tuple[str, str]]


def figures(story: Story, announced: int | None = None, state: DeliveryState = OPEN) -> DeliveryKpis:
    rows: dict[str, LogEntry] = {}
    counters: Counter[str] = Counter()
    domain: Counter[str] = Counter()
    for message, kind in story:
        told = outcome(kind, message=message, seed=message == "m0")
        try:
            step = apply(rows.get(message), told)
        except OutcomeError:
            continue
        rows[message] = step.after
        delta, domain_delta = changes(step, told)
        counters.update(delta)
        domain.update(domain_delta)
    if announced is not None:
        counters["announced"] = announced
    result = kpis("d1", state, counters, {"b.example": domain})
    statuses = Counter(row.status for row in rows.values())
    assert result.sent == statuses[LogStatus.LOG_STATUS_SENT]
    assert result.failed == statuses[LogStatus.LOG_STATUS_FAILED]
    assert result.in_flight == statuses[LogStatus.LOG_STATUS_TAKEN_INTO_ACCOUNT]
    assert sum(row.count for row in result.failures) == result.failed
    return result


stories = st.lists(
    st.tuples(st.sampled_from(["m0", "m1", "m2"]), st.sampled_from(sorted(EVENTS))), max_size=30
)


@given(stories, st.none() | st.integers(0, 5), st.sampled_from([OPEN, CLOSED]))
def test_they_add_up_whatever_happens(story: Story, announced: int | None, state: DeliveryState) -> None:
    now = figures(story, announced, state)

    assert now.to_deliver == now.sent + now.failed + now.in_flight + now.pending + now.cancelled
    assert now.processed == now.sent + now.failed
    assert now.compat.hard + now.compat.soft + now.compat.other == now.failed
    assert now.to_deliver >= (announced or 0)


def test_success_is_absent_until_the_first_sent_and_shown_ever_after() -> None:
    taken: Story = [("m1", "taken_into_account")]

    assert not figures(taken, 4).HasField("success_percent")
    assert figures([*taken, ("m1", "sent")], 4).success_percent == 25
    overturned = figures([*taken, ("m1", "sent"), ("m1", "async_bounce")], 4)
    assert overturned.HasField("success_percent")
    assert overturned.success_percent == 0


def test_what_was_announced_and_never_came_is_pending_then_cancelled() -> None:
    taken: Story = [("m1", "taken_into_account")]

    assert figures(taken, 3).pending == 2
    assert (figures(taken, 3, CLOSED).pending, figures(taken, 3, CLOSED).cancelled) == (0, 2)


def test_more_than_announced_raises_what_is_to_deliver() -> None:
    now = figures([("m1", "taken_into_account"), ("m2", "taken_into_account")], 1)

    assert (now.to_deliver, now.over_announced) == (2, True)


def test_campaigns_formulas_look_at_the_reason_and_leave_seeds_out() -> None:
    now = figures(
        [
            ("m0", "taken_into_account"),
            ("m0", "sent"),
            ("m1", "taken_into_account"),
            ("m1", "failure"),
            ("m2", "taken_into_account"),
            ("m2", "sent"),
        ]
    )

    assert (now.sent, now.compat.success, now.compat.hard) == (2, 1, 1)
