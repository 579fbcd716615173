"""When a message is tried again."""

from __future__ import annotations

import pytest

from emta.bounce.v1.qualification_pb2 import Cause, Disposition, Qualification
from services.relay.retry import Decision, next_attempt

MINUTE = 60_000
BASE_MS = 5 * MINUTE
DAY = 24 * 60 * MINUTE


def decide(
    meaning: Qualification,
    *,
    failed: int = 1,
    now_ms: int = 0,
    deadline_ms: int = 3 * DAY,
    jitter: float = 0.5,
) -> Decision | None:
    return next_attempt(
        meaning,
        now_ms=now_ms,
        accepted_ms=0,
        deadline_ms=deadline_ms,
        failed_attempts=failed,
        base_ms=BASE_MS,
        jitter=jitter,
    )


def soft(**fields: object) -> Qualification:
    return Qualification(disposition=Disposition.DISPOSITION_RETRY, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("cause", [Cause.CAUSE_BUSY, Cause.CAUSE_GREYLIST, Cause.CAUSE_NETWORK])
@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.999])
def test_busy_and_greylisting_receivers_are_tried_again_within_five_to_ten_minutes(
    cause: Cause, jitter: float
) -> None:
    decision = decide(soft(cause=cause), jitter=jitter)

    assert decision is not None
    assert 5 * MINUTE <= decision.at_ms <= 10 * MINUTE


def test_severity_decides_the_wait() -> None:
    waits = [
        decide(soft(cause=Cause.CAUSE_GREYLIST)),
        decide(soft(cause=Cause.CAUSE_MAILBOX)),
        decide(Qualification(disposition=Disposition.DISPOSITION_RETRY_LATER)),
    ]

    times = [decision.at_ms for decision in waits if decision]
    assert times == sorted(set(times))
    assert times[1:] == [20 * MINUTE, 60 * MINUTE]


def test_waits_double_to_a_cap_of_four_hours() -> None:
    waits = [decision.at_ms for n in range(1, 9) if (decision := decide(soft(), failed=n))]

    assert waits[:4] == [20 * MINUTE, 40 * MINUTE, 80 * MINUTE, 160 * MINUTE]
    assert waits[4:] == [240 * MINUTE] * 4


def test_a_stated_wait_is_honoured_the_first_time() -> None:
    meaning = soft(cause=Cause.CAUSE_GREYLIST)
    meaning.wait_hint.FromSeconds(120)

    decision = decide(meaning, jitter=0)

    assert decision == Decision(2 * MINUTE)


def test_the_last_wait_ends_shortly_before_the_validity_does() -> None:
    decision = decide(soft(), failed=9, now_ms=2 * DAY + 22 * 60 * MINUTE)

    assert decision is not None
    assert 3 * DAY * 0.98 <= decision.at_ms < 3 * DAY


def test_after_the_last_try_the_message_waits_for_its_end() -> None:
    assert decide(soft(), failed=9, now_ms=3 * DAY - 1) == Decision(3 * DAY)


def test_a_final_answer_ends_it() -> None:
    assert decide(Qualification(disposition=Disposition.DISPOSITION_FINAL)) is None
