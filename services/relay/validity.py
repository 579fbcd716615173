"""Until when a message may be tried (contract 4.1)."""

from __future__ import annotations

from typing import NamedTuple

from emta.problems import invalid

# 3.5 days: the longest validity there is, whatever the delivery says.
CAP_MS = 302_400_000


class Validity(NamedTuple):
    """When a message's validity ends (Unix ms), and whether what was asked for was cut to the cap."""

    deadline_ms: int
    clamped: bool


def effective(
    accepted_ms: int, validity_ms: int | None, limit_ms: int | None, not_before_ms: int | None
) -> Validity:
    """accepted + min(validity, 84 h), or the limit date when that is earlier. Raises Problem.

    All in milliseconds; None: not given. The clock starts with this message's acceptance, and neither
    `not_before` nor a pause extends it.
    """
    if validity_ms is not None and validity_ms <= 0:
        raise invalid("validity", "VALIDITY_NOT_POSITIVE", "validity must be longer than nothing")
    clamped = validity_ms is not None and validity_ms > CAP_MS
    deadline_ms = accepted_ms + min(CAP_MS if validity_ms is None else validity_ms, CAP_MS)
    if limit_ms is not None:
        if limit_ms <= accepted_ms:
            raise invalid("limit_time", "LIMIT_PASSED", "limit_time has passed")
        deadline_ms = min(deadline_ms, limit_ms)
    if not_before_ms is not None and not_before_ms >= deadline_ms:
        raise invalid(
            "not_before_time",
            "NOT_BEFORE_AFTER_DEADLINE",
            "not_before_time lies at or after the end of validity",
        )
    return Validity(deadline_ms, clamped)
