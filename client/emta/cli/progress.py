"""Progress where nothing can be drawn: lines on standard error, now and then."""

from __future__ import annotations

import time
from collections.abc import Callable

from emta.cli.console import note

# Nothing for what takes moments, and no file full of lines for what takes days.
_FIRST_SECONDS = 5.0
_LONGEST_SECONDS = 300.0


class Lines:
    """Lines about one thing, ever more seldom: after 5 s, 10 s more, 20 s ... up to 5 minutes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._pause = _FIRST_SECONDS
        self._due = clock() + self._pause
        self._last = ""

    def say(self, text: str) -> None:
        """Print how far it is, if it is time and there is something new."""
        now = self._clock()
        if now < self._due or text == self._last:
            return
        note(text)
        self._last = text
        self._pause = min(2 * self._pause, _LONGEST_SECONDS)
        self._due = now + self._pause
