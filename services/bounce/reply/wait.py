"""The wait that a receiver states in its reply: "try again in 300 seconds"."""

from __future__ import annotations

import re

from services.bounce.reply.masking import LONGEST, UNITS, VARIABLE

_SECONDS = {"s": 1, "m": 60, "h": 3600}
_STATED = re.compile(
    r"\b(?:in|after|for|wait|within|another|least|remaining:?|retry|dans|pendant|nach|in ca\.|en|tra|fra) "
    r"(?:at least |about |approximately )?"
    rf"(?P<count>\d{{1,5}}) ?(?P<unit>{UNITS})\b",
    re.IGNORECASE,
)
_CLOCK = re.compile(r"\b(?:in|after|wait) (\d{1,2}):(\d{2}):(\d{2})\b", re.IGNORECASE)
# A time of day, "00:04:59", is masked, too. The rare comes first: the search goes from one "#" to the next.
_MASKED = re.compile(
    rf"{VARIABLE}(?: ?(?:{UNITS})\b|(?<=\bin {VARIABLE})|(?<=\bafter {VARIABLE})|(?<=\bwait {VARIABLE}))",
    re.IGNORECASE,
)
# A receiver that asks for more than a day says something else than "come back".
_LONGEST_SECONDS = 86_400


def stated_wait(text: str) -> int | None:
    """Seconds that the reply asks to wait; None when it states no wait."""
    text = " ".join(text[:LONGEST].split())
    if (clock := _CLOCK.search(text)) is not None:
        hours, minutes, seconds = map(int, clock.groups())
        total = 3600 * hours + 60 * minutes + seconds
    elif (found := _STATED.search(text)) is not None:
        total = int(found["count"]) * _SECONDS[_unit(found["unit"].lower())]
    else:
        return None
    return total if 0 < total <= _LONGEST_SECONDS else None


def may_state_wait(masked_text: str) -> bool:
    """Whether a reply with this masked text may state a wait: its own figures decide."""
    return _MASKED.search(masked_text) is not None


def _unit(word: str) -> str:
    return "h" if word.startswith(("stund", "ore")) else word[0]
