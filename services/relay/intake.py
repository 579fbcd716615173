"""Who is checked and written down at once, and who would wait too long for it.

Checking is work of the processor: a second batch beside the first makes both late, so they are checked one
after another. A batch that would wait too long is refused at once: to come again costs its sender less than
an answer that comes after his deadline.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

# An answer may take a quarter of a second (fault F16). A part of it passes before we see the call, and some
# batches take twice the usual: at 0.1 s the slowest of a hundred took 0.25 to 0.3 s.
_LONGEST_SECONDS = 0.08
# In a flood there is always one to come next.
_LONGEST_SECONDS_IN_A_FLOOD = 0.05
# Who was told to come later than that may have come in vain: the rate has changed by then. Were it much
# shorter, all who exceed it would come at once and be refused at once, with nothing to do in between.
_LONGEST_DELAY_SECONDS = 30.0
# Who comes a moment too early is refused again.
_SLACK = 1.1
# Before anything was measured: what a 10 KB message takes on a slow machine.
_FIRST_SECONDS_PER_MESSAGE = 300e-6
# So much of what was measured counts.
_MEMORY_SECONDS = 1.0
# It is a flood when who comes now would be told to come again later than that.
_FLOOD_SECONDS = 0.5
# So many octets more take about as long as one message more.
_LIKE_A_MESSAGE = 128 * 1024
# Turns of the loop in which gRPC hands over the next call, if there is one.
_TURNS = 4
# They must not keep what has come in from being accepted.
_MOST_AT_A_TIME = 3


def work(messages: int, octets: int) -> int:
    """Give what a batch costs, in messages of usual size.

    What is let in is held in memory, too: of the largest messages (25 MiB) one or few are let in.
    """
    return messages + octets // _LIKE_A_MESSAGE


class Intake:
    """Counts what was let in and is not answered yet, and how fast answers come."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now  # seconds, from any beginning
        self._turn = asyncio.Lock()  # whose turn it is to be checked
        self._come = 0  # batches
        self._inside = 0  # messages of usual size
        # What was measured last: messages, and the seconds that they took.
        self._messages, self._seconds = _MEMORY_SECONDS / _FIRST_SECONDS_PER_MESSAGE, _MEMORY_SECONDS
        self._last_end = 0.0
        self._booked_until = 0.0

    @property
    def _seconds_per_message(self) -> float:
        return self._seconds / self._messages

    def put_off(self, messages: int) -> float | None:
        """Give the seconds after which a batch that comes now should come again; None: it may come in.

        Each gets a time of its own, as far behind the one before as it takes to be accepted: told the same
        time, all would come at once and be refused again.
        """
        self._come += 1
        longest = _LONGEST_SECONDS_IN_A_FLOOD if self.in_a_flood() else _LONGEST_SECONDS
        if not self._inside or (self._inside + messages) * self._seconds_per_message <= longest:
            return None
        now = self._now()
        soonest = now + self._inside * self._seconds_per_message
        booked_until = max(soonest, self._booked_until) + _SLACK * messages * self._seconds_per_message
        self._booked_until = min(booked_until, now + _LONGEST_DELAY_SECONDS)
        return self._booked_until - now

    def in_a_flood(self) -> bool:
        """Whether far more has come than can be accepted soon."""
        return self._booked_until - self._now() > _FLOOD_SECONDS

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until a batch may be checked, which the block does."""
        async with self._turn:
            await self._all_counted()
            yield

    async def _all_counted(self) -> None:
        """Return when no batch has come for a few turns of the loop, or many have.

        gRPC hands over one call after the other, each takes a few turns. Were a batch checked in between,
        those behind would wait where nobody counts them.
        """
        for _ in range(_MOST_AT_A_TIME):
            come = self._come
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            if come == self._come:
                return

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
        took = now - max(began, self._last_end)
        keep = _MEMORY_SECONDS / (_MEMORY_SECONDS + took)
        self._messages = keep * self._messages + messages
        self._seconds = keep * self._seconds + took
        self._last_end = now
