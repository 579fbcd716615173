"""One rule of the catalogue, and what it asks of a reply's frame: codes, phase, failure, site."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from emta.bounce.v1.qualification_pb2 import (
    BounceCode,
    Cause,
    Disposition,
    FailureReason,
    FailureType,
    Scope,
)
from services.bounce.reply.frame import Frame

# "5.1.1", "x.7.*" (any class, any detail), "5.7.606-649" (a range of details).
_ENHANCED = re.compile(r"([245x])\.(\d{1,3}|\*)\.(?:(\d{1,3})(?:-(\d{1,3}))?|\*)")
_STATUS = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})")
_ANY = (0, 999)


@dataclass(frozen=True)
class EnhancedPattern:
    """Enhanced status codes (RFC 3463) that a rule speaks about."""

    classes: str
    subjects: tuple[int, int]
    details: tuple[int, int]

    @classmethod
    def parse(cls, text: str) -> EnhancedPattern:
        """Read "5.1.1", "x.7.*" or "5.7.606-649". Raises ValueError."""
        found = _ENHANCED.fullmatch(text)
        if found is None:
            raise ValueError(f'enhanced {text!r} is not of the form "5.1.1", "x.7.*" or "5.7.606-649"')
        subject, first, last = found[2], found[3], found[4]
        return cls(
            classes="245" if found[1] == "x" else found[1],
            subjects=_ANY if subject == "*" else (int(subject), int(subject)),
            details=_ANY if first is None else (int(first), int(last or first)),
        )

    def matches(self, status: str) -> bool:
        """Whether an enhanced status code is one of these. One that is none never is."""
        found = _STATUS.fullmatch(status)
        return (
            found is not None
            and found[1] in self.classes
            and self.subjects[0] <= int(found[2]) <= self.subjects[1]
            and self.details[0] <= int(found[3]) <= self.details[1]
        )


@dataclass(frozen=True)
class Rule:
    """One entry of the catalogue. Empty matchers match everything.

    `file` and `line` (1-based): where it is written. `text`, `unless`: RE2 patterns for the masked text;
    one of the first must be found, and none of the second. `mx`: domains of MX hosts. `wait_seconds`: the
    wait to hint at where the reply states none. type, reason, disposition: None: the bounce code's own
    (terms.py).
    """

    file: str
    line: int
    id: str
    mx: tuple[str, ...]
    phases: frozenset[int]
    failures: frozenset[int]
    codes: tuple[str, ...]
    enhanced: tuple[EnhancedPattern, ...]
    text: tuple[str, ...]
    unless: tuple[str, ...]
    bounce_code: BounceCode
    type: FailureType | None
    reason: FailureReason | None
    disposition: Disposition | None
    cause: Cause
    scope: Scope
    wait_seconds: int | None
    source: str
    samples: tuple[str, ...]
    not_samples: tuple[str, ...]

    @property
    def where(self) -> str:
        """Where it is written and what it is called, as errors begin."""
        return f"{self.file}:{self.line}: rule {self.id}"

    @property
    def matchers(self) -> tuple[object, ...]:
        """All that decides whether it matches: two rules with equal ones take the same replies."""
        return (
            frozenset(self.mx),
            self.phases,
            self.failures,
            frozenset(self.codes),
            frozenset(self.enhanced),
            frozenset(self.text),
            frozenset(self.unless),
        )

    @property
    def outcome(self) -> tuple[object, ...]:
        """What it says of a reply, without the pace: what an overlap would change."""
        return self.bounce_code, self.type, self.reason

    def fits(self, frame: Frame) -> bool:
        """Whether everything but the words speaks for the rule."""
        return (
            (not self.failures or frame.failure in self.failures)
            and (not self.codes or str(frame.code).startswith(self.codes))
            and (not self.phases or frame.phase in self.phases)
            and (not self.mx or not set(frame.site).isdisjoint(self.mx))
            and (not self.enhanced or any(each.matches(frame.enhanced) for each in self.enhanced))
        )


def domain_of(suffix: str) -> str:
    """Give the domain that an MX suffix names: ".example.com" and "example.com" are the same."""
    return suffix.strip(".").lower()


def domains_above(host: str) -> Iterable[str]:
    """Give a host name and the domains it lies in, longest first."""
    while host:
        yield host
        host = host.partition(".")[2]
