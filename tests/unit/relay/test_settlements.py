"""What the end of an attempt means: finished or due again, and what is told of it."""

from __future__ import annotations

from typing import Any

import pytest

from emta.bounce.v1.qualification_pb2 import Disposition, Qualification
from emta.bounce.v1.smtp_reply_pb2 import SmtpReply
from emta.feedback.v1.outcome_pb2 import FailureCause, Outcome
from emta.problems import Problem, failed_precondition, invalid, unavailable
from services.chassis.settings import load_settings
from services.relay.attempt import Attempt
from services.relay.settings import RelaySettings
from services.relay.settlements import BOUNCE_AWAY, SIGNER_AWAY, Settlements, suspect
from services.relay.store.queue import Settlement
from services.relay.transaction import Delivered, Unknown
from tests.unit.relay.attempts import an_attempt

NOW_MS, DAY_MS = 1_000_000, 86_400_000
HOLD_MS = 60_000
FINAL = Qualification(disposition=Disposition.DISPOSITION_FINAL)
RETRY = Qualification(disposition=Disposition.DISPOSITION_RETRY)
LOST = Unknown(SmtpReply(text="lost"))
NO_KEY = failed_precondition("NO_KEY", "no key", domain="shop.example")
INTERNAL = FailureCause.FAILURE_CAUSE_INTERNAL


def under(**settings: str) -> Settlements:
    environ = {f"EMTA_RELAY_{name.upper()}": value for name, value in settings.items()}
    return Settlements(load_settings(RelaySettings, environ), jitter=lambda: 0.5)


def living(**learned: Any) -> Attempt:
    return an_attempt(**{"deadline_ms": NOW_MS + DAY_MS, **learned})


def told(settlement: Settlement | None) -> Outcome:
    """The only outcome."""
    assert settlement is not None
    (item,) = settlement.outcomes
    return item.outcome


def test_a_delivery_finishes_a_message() -> None:
    settlement = under().delivered(living(), Delivered("250 ok", "mx", "192.0.2.1", "", ""), NOW_MS)

    assert settlement.due_ms is None
    assert told(settlement).sent.reply_text == "250 ok"
    assert told(settlement).sequence == 2


def test_a_final_refusal_finishes_a_message() -> None:
    settlement = under().refused(living(reply=SmtpReply(code=550)), FINAL, NOW_MS)

    assert settlement.due_ms is None
    assert told(settlement).failure.cause == FailureCause.FAILURE_CAUSE_REFUSED
    assert told(settlement).failure.reply.code == 550


def test_another_refusal_is_a_deferral_and_ends_what_held_the_message() -> None:
    attempt = living(reply=SmtpReply(code=450), hold=BOUNCE_AWAY, peer_crashes=2)

    settlement = under().refused(attempt, RETRY, NOW_MS)

    assert settlement.due_ms == NOW_MS + 20 * 60_000
    assert told(settlement).deferral.next_attempt_time.ToMilliseconds() == settlement.due_ms
    claimed = settlement.claimed
    assert (claimed.failed_attempts, claimed.hold, claimed.peer_crashes) == (1, 0, 0)
    assert told(settlement).retry_count == 0  # those before this one


def test_a_connection_lost_after_the_dot_is_tried_again() -> None:
    settlement = under().lost_after_dot(living(), LOST, NOW_MS)

    assert settlement.due_ms == NOW_MS + 6 * 60_000 * 5 // 4
    assert told(settlement).unknown_result.reply.text == "lost"
    assert settlement.claimed.failed_attempts == 1


def test_a_connection_lost_after_the_dot_may_be_presumed_a_delivery() -> None:
    settlement = under(unknown_result="presume").lost_after_dot(living(), LOST, NOW_MS)

    assert settlement.due_ms is None
    assert told(settlement).sent.presumed


WITHOUT_KEY = {"wait": ("hold", NOW_MS + HOLD_MS), "refuse": ("failure", None)}


@pytest.mark.parametrize("policy", WITHOUT_KEY)
def test_without_a_key_the_policy_decides(policy: str) -> None:
    settlement = under(without_key=policy).not_signed(living(), NO_KEY, NOW_MS)

    assert settlement is not None
    assert (told(settlement).WhichOneof("event"), settlement.due_ms) == WITHOUT_KEY[policy]


def test_a_message_without_a_key_says_of_which_domain() -> None:
    settlement = under().not_signed(living(), NO_KEY, NOW_MS)

    assert told(settlement).hold.domain == "shop.example"


@pytest.mark.parametrize(
    ("domains", "times"),
    [
        (["shop.example"] * 100, 1),
        (["shop.example", "news.example"] * 100, 2),
    ],
)
def test_a_missing_key_is_in_the_log_once_per_domain_and_minute(
    domains: list[str], times: int, caplog: pytest.LogCaptureFixture
) -> None:
    settlements = under()
    for minute in range(2):
        for domain in domains:
            problem = failed_precondition("NO_KEY", "no key", domain=domain)
            settlements.not_signed(living(), problem, NOW_MS + minute * 60_000)

    logged = [record.fields["domain"] for record in caplog.records]  # type: ignore[attr-defined]
    assert len(logged) == 2 * times
    assert set(logged) == set(domains)


def test_without_a_key_a_message_may_go_unsigned() -> None:
    assert under(without_key="unsigned").not_signed(living(), NO_KEY, NOW_MS) is None


@pytest.mark.parametrize("policy", ["wait", "refuse", "unsigned"])
@pytest.mark.parametrize(
    ("problem", "event"),
    [(unavailable("STORE_UNAVAILABLE", "away"), "hold"), (invalid("domain", "BAD", "bad"), "failure")],
)
def test_what_the_signer_cannot_do_is_no_matter_of_keys(policy: str, problem: Problem, event: str) -> None:
    settlement = under(without_key=policy).not_signed(living(), problem, NOW_MS)

    assert told(settlement).WhichOneof("event") == event


def test_a_missing_key_is_logged_once_a_minute_and_domain(caplog: pytest.LogCaptureFixture) -> None:
    settlements = under()
    domains = [failed_precondition("NO_KEY", "no key", domain=f"s{number}.example") for number in range(3)]

    for now_ms in (NOW_MS, NOW_MS + 59_999, NOW_MS + 60_000):
        for problem in domains:
            settlements.not_signed(living(), problem, now_ms)

    assert [record.message for record in caplog.records] == ["no_key"] * 6
    assert len(settlements._no_key_told_ms) == 3


def test_a_message_that_waits_is_told_of_once_per_cause() -> None:
    settlements, attempt = under(), living()

    first = settlements.held(attempt, SIGNER_AWAY, NOW_MS)
    again = settlements.held(attempt, SIGNER_AWAY, NOW_MS + HOLD_MS)
    other = settlements.held(attempt, BOUNCE_AWAY, NOW_MS + 2 * HOLD_MS)

    assert told(first).hold.cause == SIGNER_AWAY
    assert again.outcomes == ()
    assert told(other).hold.cause == BOUNCE_AWAY
    assert [end.due_ms for end in (first, again, other)] == [NOW_MS + n * HOLD_MS for n in (1, 2, 3)]
    assert attempt.claimed.failed_attempts == 0


def test_nothing_waits_longer_than_it_is_valid() -> None:
    settlements, attempt = under(), living(deadline_ms=NOW_MS + 1)

    assert settlements.held(attempt, SIGNER_AWAY, NOW_MS).due_ms == NOW_MS + 1
    assert settlements.no_room(attempt, NOW_MS + 60_000).due_ms == NOW_MS + 1
    ended = settlements.held(attempt, SIGNER_AWAY, NOW_MS + 1)
    assert told(ended).failure.cause == FailureCause.FAILURE_CAUSE_EXPIRED


def test_what_a_service_dies_of_among_a_few_and_three_times_alone_fails() -> None:
    settlements, attempt = under(), living()
    suspect(attempt)
    suspect(attempt)

    ends = [settlements.peer_died(attempt, BOUNCE_AWAY, NOW_MS) for _ in range(3)]

    assert [end.due_ms for end in ends] == [NOW_MS + HOLD_MS, NOW_MS + HOLD_MS, None]
    assert told(ends[2]).failure.cause == INTERNAL


@pytest.mark.parametrize(
    ("learned", "aside"),
    [({}, False), ({"crashes": 4}, False), ({"crashes": 5}, True), ({"damaged": True}, True)],
)
def test_what_is_damaged_or_kills_is_not_tried(learned: dict[str, Any], aside: bool) -> None:
    settlement = under().set_aside(living(**learned), NOW_MS)

    assert (settlement is not None) == aside
    if settlement is not None:
        assert told(settlement).failure.cause == INTERNAL


def test_what_could_not_begin_is_due_at_once_while_it_is_valid() -> None:
    settlements, attempt = under(), living()

    assert settlements.not_begun(attempt, NOW_MS) == Settlement(attempt.claimed, NOW_MS, ())
    late = settlements.not_begun(attempt, attempt.claimed.deadline_ms)
    assert told(late).failure.cause == FailureCause.FAILURE_CAUSE_EXPIRED
