"""For how long what name servers said is believed."""

from __future__ import annotations

from services.chassis.clock import Clock

# Seconds. Below the floor a domain could make us ask for every message; a day is RFC 2308's advice for
# the longest that wrong data should stay.
SHORTEST_TTL, LONGEST_TTL = 30, 86_400
# Seconds. RFC 2308 section 7: a failure is remembered for at most five minutes, so that a domain which was
# repaired gets its mail.
LONGEST_FAILURE_TTL = 300
# A busy domain is looked up again before its records run out, so that nobody waits for it.
AHEAD_MS = 3_000


def expiry(clock: Clock, ttl: float, longest: int = LONGEST_TTL) -> int:
    """Give when something runs out (Unix ms) that may be believed for `ttl` seconds."""
    return clock.now_ms() + int(min(max(ttl, SHORTEST_TTL), longest) * 1000)
