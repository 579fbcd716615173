"""What was answered since the last flush, counted by normalised text.

One look-up and some additions a reply: a core qualifies 100,000 of them in a second.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from emta.bounce.v1.qualification_pb2 import Qualification
from emta.bounce.v1.smtp_reply_pb2 import SmtpReply

# A busy sender sees some thousand different replies a day. So many texts wait, 10 MiB at the very worst;
# what comes beside them is not counted until they are written.
MOST_WAITING = 4_096
# What hosts a text has come from within a second, before rarer ones are left out.
_SITES = 16
_LONGEST_FIRST_TEXT = 1_024


class RowFacts(NamedTuple):
    """What an answer says about the row of its text.

    `code`: 200..599; 4 or 5 where no more than the class is known; 0 without a reply. `by_rules`: what the
    rules mean, without an operator's word. `final`: for the message. `site`: the provider's domain, where
    rules know it.
    """

    md5: str
    text: str
    code: int
    enhanced: str
    by_rules: Qualification
    final: bool
    site: str


@dataclass(slots=True)
class Count:
    """What was counted of one text. `first_text`: the words of the first reply, as they were sent."""

    facts: RowFacts
    first_text: str
    occurrences: int = 0
    final: int = 0
    sites: dict[str, int] = field(default_factory=dict)


class Tally:
    """Counts answers. `dropped`: how many were not, for too many other texts waited to be written."""

    def __init__(self, most: int = MOST_WAITING) -> None:
        self._most = most
        self._counts: dict[str, Count] = {}
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._counts)

    @property
    def occurrences(self) -> int:
        """How many replies are counted and not taken out."""
        return sum(count.occurrences for count in self._counts.values())

    def add(self, facts: RowFacts, reply: SmtpReply) -> None:
        """Count one reply that was answered."""
        count = self._counts.get(facts.md5)
        if count is None:
            if len(self._counts) >= self._most:
                self.dropped += 1
                return
            count = self._counts[facts.md5] = Count(facts, reply.text[:_LONGEST_FIRST_TEXT])
        count.occurrences += 1
        count.final += facts.final
        site = facts.site or site_of(reply.mx_host) or reply.recipient_domain
        sites = count.sites
        if site in sites:
            sites[site] += 1
        elif site and len(sites) < _SITES:
            sites[site] = 1

    def take(self, most: int) -> list[Count]:
        """Take up to `most` texts out, those that have waited longest first."""
        taken = list(islice(self._counts, most))
        return [self._counts.pop(md5) for md5 in taken]


@lru_cache(8_192)
def site_of(mx_host: str) -> str:
    """Give the domain that an MX host serves in: the host without its own label."""
    _, _, domain = mx_host.partition(".")
    return domain if "." in domain else mx_host
