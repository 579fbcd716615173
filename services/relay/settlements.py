"""How an attempt ends: its message is finished or due again, and what Feedback is told of it.

Pure decisions. What was learned is put into the message's record; settler.py writes all of it down.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from emta.bounce.v1.qualification_pb2 import Qualification
from emta.feedback.v1.feedback_service_pb2 import RecordOutcomesItem
from emta.feedback.v1.outcome_pb2 import FailureCause, HoldCause
from emta.problems import Problem
from services.chassis.logs import Log
from services.relay import outcomes
from services.relay.attempt import Attempt
from services.relay.retry import next_attempt
from services.relay.settings import RelaySettings
from services.relay.store.queue import Settlement
from services.relay.store.record import Claimed
from services.relay.transaction import Delivered, Unknown

_log = Log("relay")

SIGNER_AWAY = HoldCause.HOLD_CAUSE_SIGNER_UNAVAILABLE
BOUNCE_AWAY = HoldCause.HOLD_CAUSE_BOUNCE_UNAVAILABLE

# A message is set aside when whoever handled it died this often: its owner twice among others, then three
# times with it as the only suspect; a service of ours once among a few, then three times asked about it
# alone.
_OWNER_CRASHES, _PEER_CRASHES = 5, 4
# A key that is missing is told of again after so long.
_TOLD_AGAIN_MS = 60_000


def suspect(attempt: Attempt) -> None:
    """A service of ours died when it was asked about this message and a few others."""
    attempt.claimed.peer_crashes = max(1, attempt.claimed.peer_crashes)


def is_suspected(attempt: Attempt) -> bool:
    """Whether a service of ours died of this message, or of one beside it."""
    return attempt.claimed.peer_crashes > 0


class Settlements:
    """What ends there are, under the policy of the settings. `jitter` gives random numbers in [0, 1)."""

    def __init__(self, settings: RelaySettings, jitter: Callable[[], float] = random.random) -> None:
        self._retry_base_ms = round(settings.retry_base_seconds * 1000)
        self._hold_ms = round(settings.hold_seconds * 1000)
        self._without_key = settings.without_key
        self._unknown_result = settings.unknown_result
        self._jitter = jitter
        self._no_key_told_ms: dict[str, int] = {}

    def set_aside(self, attempt: Attempt, now_ms: int) -> Settlement | None:
        """It must not be tried: it is damaged, or kills; None: it may be."""
        claimed = attempt.claimed
        if claimed.damaged or claimed.crashes >= _OWNER_CRASHES:
            return self.given_up(attempt, FailureCause.FAILURE_CAUSE_INTERNAL, now_ms)
        return None

    # What a receiver said

    def delivered(self, attempt: Attempt, result: Delivered, now_ms: int) -> Settlement:
        """The receiver has it."""
        told = outcomes.sent(attempt.claimed, now_ms, attempt.traceparent, result, attempt.size)
        return _finished(attempt, told)

    def refused(self, attempt: Attempt, meaning: Qualification, now_ms: int) -> Settlement:
        """The reply in the record was qualified: it is final, or another attempt follows."""
        claimed = attempt.claimed
        claimed.qualification = meaning
        claimed.failed_attempts += 1
        claimed.hold, claimed.peer_crashes = HoldCause.HOLD_CAUSE_UNSPECIFIED, 0
        next_ms = self._next_ms(claimed, meaning, now_ms)
        if next_ms is None:
            return _finished(attempt, outcomes.refused(claimed, now_ms, attempt.traceparent))
        return _due(attempt, next_ms, outcomes.deferral(claimed, now_ms, attempt.traceparent, next_ms))

    def lost_after_dot(self, attempt: Attempt, result: Unknown, now_ms: int) -> Settlement:
        """Nobody knows whether the receiver has it: sent, by presumption, or another attempt follows."""
        claimed = attempt.claimed
        if self._unknown_result == "presume":
            told = outcomes.sent(claimed, now_ms, attempt.traceparent, None, attempt.size)
            return _finished(attempt, told)
        claimed.reply, claimed.qualification = result.reply, outcomes.LOST_AFTER_DOT
        claimed.failed_attempts += 1
        next_ms = self._next_ms(claimed, outcomes.LOST_AFTER_DOT, now_ms) or claimed.deadline_ms
        told = outcomes.unknown_result(claimed, now_ms, attempt.traceparent, result, next_ms)
        return _due(attempt, next_ms, told)

    # What a service of ours said, or did not

    def not_signed(self, attempt: Attempt, problem: Problem, now_ms: int) -> Settlement | None:
        """The Signer gave no signature; None: then it is sent without one."""
        if problem.reason == "NO_KEY":
            if self._without_key == "unsigned":
                return None
            domain = problem.metadata.get("domain", "")
            self._tell_of_no_key(domain, now_ms)
            if self._without_key == "refuse":
                return self.given_up(attempt, FailureCause.FAILURE_CAUSE_NO_KEY, now_ms)
            return self.held(attempt, HoldCause.HOLD_CAUSE_NO_KEY, now_ms, domain)
        if problem.code.name != "INVALID_ARGUMENT":
            return self.held(attempt, SIGNER_AWAY, now_ms)
        _log.error("unsignable", message=attempt.claimed.message.message_id, reason=problem.reason)
        return self.given_up(attempt, FailureCause.FAILURE_CAUSE_INTERNAL, now_ms)

    def peer_died(self, attempt: Attempt, cause: HoldCause, now_ms: int) -> Settlement:
        """A service of ours died when it was asked about this message alone."""
        claimed = attempt.claimed
        claimed.peer_crashes += 1
        if claimed.peer_crashes < _PEER_CRASHES:
            return self.held(attempt, cause, now_ms)
        _log.error("poison", message=claimed.message.message_id, cause=HoldCause.Name(cause))
        return self.given_up(attempt, FailureCause.FAILURE_CAUSE_INTERNAL, now_ms)

    def held(self, attempt: Attempt, cause: HoldCause, now_ms: int, domain: str = "") -> Settlement:
        """It waits without an attempt counted; Feedback is told once per cause."""
        claimed = attempt.claimed
        if now_ms >= claimed.deadline_ms:
            return self.expired(attempt, now_ms)
        next_ms = min(now_ms + self._hold_ms, claimed.deadline_ms)
        if claimed.hold == cause:
            return _due(attempt, next_ms)
        claimed.hold = cause
        told = outcomes.hold(claimed, now_ms, attempt.traceparent, cause, next_ms, domain)
        return _due(attempt, next_ms, told)

    def _tell_of_no_key(self, domain: str, now_ms: int) -> None:
        """Say it once per domain and minute: a whole mailing may wait for one key."""
        told = self._no_key_told_ms  # the oldest first
        while told and now_ms - next(iter(told.values())) >= _TOLD_AGAIN_MS:
            del told[next(iter(told))]
        if domain in told:
            return
        told[domain] = now_ms
        todo = f"python -m services.signer.keygen {domain} (services/signer/README.md)"
        _log.warning("no_key", domain=domain, policy=self._without_key, todo=todo)

    # What did not come to anything

    def not_begun(self, attempt: Attempt, now_ms: int) -> Settlement:
        """No transaction could begin any more."""
        if now_ms >= attempt.claimed.deadline_ms:
            return self.expired(attempt, now_ms)
        # Should it be another Relay's by now, the fence keeps us out.
        return self.released(attempt, now_ms)

    def no_room(self, attempt: Attempt, due_ms: int) -> Settlement:
        """Its site has so much waiting that it would only stand in the way; there is room at `due_ms`."""
        return _due(attempt, min(due_ms, attempt.claimed.deadline_ms))

    def released(self, attempt: Attempt, now_ms: int) -> Settlement:
        """It is for whoever comes next."""
        return _due(attempt, now_ms)

    def expired(self, attempt: Attempt, now_ms: int) -> Settlement:
        """Its validity is over."""
        return _finished(attempt, outcomes.expired(attempt.claimed, now_ms, attempt.traceparent))

    def given_up(self, attempt: Attempt, cause: FailureCause, now_ms: int) -> Settlement:
        """It fails for a reason of ours."""
        return _finished(attempt, outcomes.given_up(attempt.claimed, now_ms, attempt.traceparent, cause))

    def _next_ms(self, claimed: Claimed, meaning: Qualification, now_ms: int) -> int | None:
        decision = next_attempt(
            meaning,
            now_ms=now_ms,
            accepted_ms=claimed.accepted_ms,
            deadline_ms=claimed.deadline_ms,
            failed_attempts=claimed.failed_attempts,
            base_ms=self._retry_base_ms,
            jitter=self._jitter(),
        )
        return None if decision is None else decision.at_ms


def _finished(attempt: Attempt, told: RecordOutcomesItem) -> Settlement:
    return Settlement(attempt.claimed, None, (told,))


def _due(attempt: Attempt, due_ms: int, *told: RecordOutcomesItem) -> Settlement:
    return Settlement(attempt.claimed, due_ms, told)
