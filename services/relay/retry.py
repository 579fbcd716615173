"""When to try again: by what the receiver said, and by the time that is left.

The receiver's severity decides the first wait, every further refusal doubles it, a wait that the
receiver states itself is honoured, and one last try lies shortly before the end of the validity.
Campaign's own retry settings have no influence (contract 4.2).
"""

from __future__ import annotations

from dataclasses import dataclass

from emta.bounce.v1.qualification_pb2 import Cause, Disposition, Qualification

# In base intervals (EMTA_RELAY_RETRY_BASE_SECONDS, 5 minutes): 5 min after a busy or greylisting answer,
# 20 min after any other, an hour where the condition lasts (a full mailbox).
_FIRST_WAIT = {Cause.CAUSE_BUSY: 1, Cause.CAUSE_GREYLIST: 1, Cause.CAUSE_NETWORK: 1}
_FIRST_WAIT_ELSE = 4
_FIRST_WAIT_LATER = 12
# 4 h with the default base: the cap that the schedules of other mail servers agree on (4 to 6 h).
_LONGEST_WAIT = 48
# Retries of one outage must not come together: each wait is 80 to 120 % of its nominal value.
_JITTER = 0.2
# The last try lies this share of the whole validity before its end.
_LAST_SHARE = 0.02


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
    if meaning.HasField("wait_hint"):
        # Coming earlier than told lengthens a greylist: the jitter only adds.
        wait_ms = meaning.wait_hint.ToMilliseconds() + jitter * _JITTER * base_ms
    else:
        steps = min(_first_wait(meaning) * 2 ** min(failed_attempts - 1, 20), _LONGEST_WAIT)
        wait_ms = steps * base_ms * (1 - _JITTER + 2 * _JITTER * jitter)
    at_ms = now_ms + max(round(wait_ms), 1)
    last_ms = deadline_ms - round((deadline_ms - accepted_ms) * _LAST_SHARE * (0.25 + 0.75 * jitter))
    if at_ms <= last_ms:
        return Decision(at_ms)
    # Too late for the schedule: the last try, unless that was it.
    return Decision(last_ms if now_ms < last_ms else deadline_ms)


def _first_wait(meaning: Qualification) -> int:
    if meaning.disposition == Disposition.DISPOSITION_RETRY_LATER:
        return _FIRST_WAIT_LATER
    return _FIRST_WAIT.get(meaning.cause, _FIRST_WAIT_ELSE)
