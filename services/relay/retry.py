"""When to try again: by what the receiver said, and by the time that is left.

The receiver's severity decides the first wait, every further refusal doubles it, a wait that the
receiver states itself is honoured, and one last try lies shortly before the end of the validity.
Campaign's own retry settings have no influence (contract 4.2).
"""

from __future__ import annotations

from dataclasses import dataclass

from emta.bounce.v1.qualification_pb2 import Cause, Disposition, Qualification

# In base intervals (EMTA_RELAY_RETRY_BASE_SECONDS, 5 minutes): 6 to 9 min after a busy or greylisting
# answer, 20 min after any other, an hour where the condition lasts (a full mailbox).
_FIRST_WAIT = {Cause.CAUSE_BUSY: 1.5, Cause.CAUSE_GREYLIST: 1.5, Cause.CAUSE_NETWORK: 1.5}
_FIRST_WAIT_ELSE = 4.0
_FIRST_WAIT_LATER = 12.0
# 4 h with the default base: the cap that the schedules of other mail servers agree on (4 to 6 h).
_LONGEST_WAIT = 48.0
# Retries of one outage must not come together: each wait is 80 to 120 % of its nominal value.
_JITTER = 0.2
# The last try lies this share of the whole validity before its end.
_LAST_SHARE = 0.02
# Knuth's multiplicative hash: neighbouring times of acceptance end up far apart.
_SPREAD = 2_654_435_761


@dataclass(frozen=True)
class Decision:
    """When the next attempt is due (Unix ms). At the deadline itself the message expires untried."""

    at_ms: int


def next_attempt(
    meaning: Qualification,
    *,
    now_ms: int,
    accepted_ms: int,
    deadline_ms: int,
    failed_attempts: int,
    base_ms: int,
    jitter: float,
) -> Decision | None:
    """Decide after a refusal; None: the message fails now.

    `failed_attempts` counts this one; `jitter` is a random number in [0, 1).
    """
    if meaning.disposition == Disposition.DISPOSITION_FINAL:
        return None
    steps = min(_first_wait(meaning) * 2 ** min(failed_attempts - 1, 20), _LONGEST_WAIT)
    wait_ms = steps * base_ms * (1 - _JITTER + 2 * _JITTER * jitter)
    if meaning.HasField("wait_hint"):
        # Coming earlier than told lengthens a greylist: the jitter only adds. A receiver that goes on
        # saying "in 60 seconds" gets the longer waits of the schedule all the same.
        stated_ms = meaning.wait_hint.ToMilliseconds() + jitter * _JITTER * base_ms
        wait_ms = stated_ms if failed_attempts == 1 else max(stated_ms, wait_ms)
    at_ms = now_ms + max(round(wait_ms), 1)
    # The final stretch of the validity has room for one try.
    stretch_ms = round((deadline_ms - accepted_ms) * _LAST_SHARE)
    if at_ms < deadline_ms - stretch_ms:
        return Decision(at_ms)
    if now_ms >= deadline_ms - stretch_ms:
        return Decision(deadline_ms)
    # The same for every decision about a message, and spread over messages that expire together.
    spread = accepted_ms * _SPREAD % 2**32 / 2**32
    return Decision(deadline_ms - round(stretch_ms * (0.25 + 0.75 * spread)))


def _first_wait(meaning: Qualification) -> float:
    if meaning.disposition == Disposition.DISPOSITION_RETRY_LATER:
        return _FIRST_WAIT_LATER
    return _FIRST_WAIT.get(meaning.cause, _FIRST_WAIT_ELSE)
