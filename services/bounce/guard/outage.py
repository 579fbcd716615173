"""Whether a site errs: known addresses that are suddenly refused for good. Statistics, and nothing else.

A known address is one that the site accepted lately. A bought list has none; an outage turns them hard.
docs/decisions/0014-outage-guard.md says why it is done so, docs/reference/incidents.md what follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from math import exp, lgamma, log

from emta.bounce.v1.qualification_pb2 import FailureReason

# What a site is taken for until it has a history of its own, as if 200 known addresses had been seen.
# Policy: lists lose about 2 % of their addresses in a month, known ones are seen weekly to monthly.
_PRIOR_SHARE, _PRIOR_ADDRESSES = 0.005, 200.0
# However clean a site was: a few closed accounts are no outage.
_LEAST_SHARE = 0.001
# How much the share of a stretch scatters around the site's own beyond chance: as a Beta distribution of so
# many addresses, with 0.5 % by as much again. Fewer make the guard slower and surer. With these, less than
# about 9 % never opens an incident, however many addresses there are.
_SCATTER = 200.0
# Of more addresses only the share tells anything: chance is nothing beside the scatter.
_ENOUGH = 10_000
# Policy: less is no evidence, whatever the statistics say.
_LEAST_HARD = 5
_LEAST_ACCEPTED = 10
# A thousand sites with 200 messages an hour begin half a million stretches a month (`bench guard`).
_OPENING_LEVEL = 1e-9
# Back in its history: what is seen once in so many stretches; for an end before its time, and at its time.
_USUAL_LEVEL = 1e-3
_EARLY_LEVEL, _TIMELY_LEVEL = 1e-3, 0.05
# Terms of a sum that change nothing any more.
_NEGLIGIBLE = 1e-12


@dataclass(frozen=True, slots=True)
class Counts:
    """Known addresses: accepted (or not refused for good), and refused for good."""

    accepted: int
    hard: int

    @property
    def all(self) -> int:
        """Both."""
        return self.accepted + self.hard


@dataclass(frozen=True, slots=True)
class Evidence:
    """A site as it is judged: its history, and the stretch in which too many known addresses are refused.

    `accepted_lately`: messages to any address, older ones weighing less.
    """

    usual: Counts
    accepted_lately: int
    stretch: Counts
    by_reason: Mapping[FailureReason, int]


@dataclass(frozen=True, slots=True)
class Watched:
    """An open incident as it is judged.

    `latest`: the last half hour to hour; `term`: since it was opened or extended.
    """

    usual: Counts
    opening: Counts
    latest: Counts
    term: Counts
    until_ms: int
    latest_end_ms: int


class Verdict(Enum):
    """What becomes of an open incident."""

    STAYS = "stays"
    EXTENDED = "extended"
    RECOVERED = "recovered"
    TIME = "time"
    BELIEVED = "believed"


def suspicious(evidence: Evidence) -> list[FailureReason]:
    """Give the reasons for which an incident is to be opened; none: no incident."""
    if evidence.accepted_lately < _LEAST_ACCEPTED:
        return []
    accepted = evidence.stretch.accepted
    return [
        reason
        for reason, hard in evidence.by_reason.items()
        if hard >= _LEAST_HARD and _surprise(Counts(accepted, hard), evidence.usual) <= _OPENING_LEVEL
    ]


def verdict(watched: Watched, now_ms: int) -> Verdict:
    """Judge an open incident."""
    if now_ms >= watched.latest_end_ms:
        return Verdict.BELIEVED
    if _recovered(watched.latest, watched, _EARLY_LEVEL):
        return Verdict.RECOVERED
    if now_ms < watched.until_ms:
        return Verdict.STAYS
    # Where little is sent, nothing may have come within the last hour.
    recent = watched.latest if watched.latest.all else watched.term
    if recent.hard == 0 or _recovered(recent, watched, _TIMELY_LEVEL):
        return Verdict.TIME
    return Verdict.EXTENDED


def usual_share(usual: Counts) -> float:
    """Give the hard share that a site is expected to have."""
    share = (_PRIOR_SHARE * _PRIOR_ADDRESSES + usual.hard) / (_PRIOR_ADDRESSES + usual.all)
    return max(share, _LEAST_SHARE)


def _recovered(recent: Counts, watched: Watched, level: float) -> bool:
    """Whether so few refusals are usual at the site, and too few for an outage half as bad as it was."""
    if not recent.all:
        return False
    outage = watched.opening.hard / watched.opening.all / 2
    return (
        _surprise(recent, watched.usual) > _USUAL_LEVEL
        and at_most(recent.hard, recent.all, outage) <= level
    )


def _surprise(seen: Counts, usual: Counts) -> float:
    """Give the probability of so many refusals or more at a site with this history."""
    share = usual_share(usual)
    hard, of = seen.hard, seen.all
    if of > _ENOUGH:
        hard, of = hard * _ENOUGH // of, _ENOUGH
    return at_least(hard, of, share * _SCATTER, (1 - share) * _SCATTER)


def at_least(hard: int, of: int, a: float, b: float) -> float:
    """Give P(X >= hard) of `of` draws whose share is itself drawn from Beta(a, b): the beta-binomial tail.

    Up to the mean, where it says nothing, it is given as 1.
    """
    if hard <= of * a / (a + b):
        return 1.0
    term = exp(_log_choose(of, hard) + _log_beta(hard + a, of - hard + b) - _log_beta(a, b))
    total = 0.0
    for x in range(hard, of + 1):
        total += term
        if term <= total * _NEGLIGIBLE:
            break
        if x < of:
            term *= (of - x) * (x + a) / ((x + 1) * (of - x - 1 + b))
    return min(total, 1.0)


def at_most(hard: int, of: int, share: float) -> float:
    """Give P(X <= hard) of `of` draws, each hard with probability `share`, 0..1: the binomial tail.

    From the mean on, where it says nothing, it is given as 1.
    """
    if hard >= of * share:
        return 1.0
    term = exp(_log_choose(of, hard) + hard * log(share) + (of - hard) * log(1 - share))
    total = 0.0
    for x in range(hard, -1, -1):
        total += term
        if term <= total * _NEGLIGIBLE:
            break
        term *= x / (of - x + 1) * (1 - share) / share
    return min(total, 1.0)


def _log_choose(of: int, hard: int) -> float:
    return lgamma(of + 1) - lgamma(hard + 1) - lgamma(of - hard + 1)


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)
