"""The wait that a receiver states in its reply: "try again in 300 seconds"."""

from __future__ import annotations

import re

_UNITS = {"s": 1, "m": 60, "h": 3600}
_STATED = re.compile(
    r"\b(?:in|after|for|wait|within|another|least|remaining:?|retry|dans|pendant|nach|in\s+ca\.|en|tra)\s+"
    r"(?:at\s+least\s+|about\s+|approximately\s+)?"
    r"(?P<count>\d{1,5})\s*"
    r"(?P<unit>s|sec|secs|second|seconds|secondes|sekunden|segundos|secondi"
    r"|m|min|mins|minute|minutes|minuten|minutos|minuti"
    r"|h|hr|hrs|hour|hours|heure|heures|stunden?|horas?|ore)\b",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"\b(?:in|after|wait)\s+(\d{1,2}):(\d{2}):(\d{2})\b", re.IGNORECASE)
# A receiver that asks for more than a day says something else than "come back".
_LONGEST_SECONDS = 86_400


def stated_wait(text: str) -> int | None:
    """Seconds that the reply asks to wait; None when it states no wait."""
    if (clock := _CLOCK.search(text)) is not None:
        hours, minutes, seconds = map(int, clock.groups())
        total = 3600 * hours + 60 * minutes + seconds
    elif (found := _STATED.search(text)) is not None:
        unit = found["unit"][0].lower()
        if found["unit"].lower().startswith(("stund", "ore")):
            unit = "h"
        total = int(found["count"]) * _UNITS[unit]
    else:
        return None
    return total if 0 < total <= _LONGEST_SECONDS else None
