"""Who is checked and written down at once, and who would wait too long for it.

Checking is work of the processor: a second batch beside the first makes both late, so they are checked one
after another. A batch that would wait too long is refused at once: to come again costs its sender less than
an answer that comes after his deadline.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# An answer may take a quarter of a second (fault F16); what gRPC holds before we see it takes its part.
_LONGEST_SECONDS = 0.1
# Who was told to come later than that may have come in vain: the rate has changed by then.
_LONGEST_DELAY_SECONDS = 5.0
# Before anything was measured: what a 10 KB message takes on a slow machine.
_FIRST_SECONDS_PER_MESSAGE = 300e-6
# The last ten batches or so.
_WEIGHT = 0.1


class Intake:
    """Counts what was let in and is not answered yet, and how fast answers come."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now  # seconds, from any beginning
        self.turn = asyncio.Lock()  # whose turn it is to be checked
        self._inside = 0  # messages
        self._seconds_per_message = _FIRST_SECONDS_PER_MESSAGE
        self._last_end = 0.0
        self._booked_until = 0.0

    def has_room(self) -> bool:
        """Whether a batch that comes now would be answered in time."""
        return self._inside * self._seconds_per_message <= _LONGEST_SECONDS

    def appointment(self, messages: int) -> float:
        """Give the seconds after which so many refused messages should come again.

        Each gets a time of its own, as far behind the one before as it takes to be accepted: told the same
        time, all would come at once and be refused again.
        """
        now = self._now()
        soonest = now + self._inside * self._seconds_per_message
        self._booked_until = max(soonest, self._booked_until) + messages * self._seconds_per_message
        return min(self._booked_until - now, _LONGEST_DELAY_SECONDS)

    @contextmanager
    def holding(self, messages: int) -> Iterator[None]:
        """Count so many messages until the block ends."""
        began = self._now()
        self._inside += messages
        try:
            yield
            self._learn(began, self._now(), messages)
        finally:
            self._inside -= messages

    def _learn(self, began: float, now: float, messages: int) -> None:
        # From one answer to the next: what else the process does in between makes batches wait too.
        took = (now - max(began, self._last_end)) / messages
        self._seconds_per_message += _WEIGHT * (took - self._seconds_per_message)
        self._last_end = now
