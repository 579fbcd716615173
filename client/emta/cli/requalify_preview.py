"""What a requalification finds, as a terminal shows it before anything is changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from emta.cli import words
from emta.cli.tables import reply_line, stamp
from emta.feedback.v1.requalify_service_pb2 import (
    MatchedOutcome,
    OutcomeFilter,
    RequalifyOutcomesResponse,
)

_ROWS = 10  # of each table of the preview
_SAMPLES = 5
# So many different deliveries, domains and texts are counted apart, the rest together.
_KEYS = 10_000
_OTHERS = "(others)"
_FOUND_FOR = timedelta(days=14)  # as the contract has it

Key = tuple[str, ...]


@dataclass
class Found:
    """What the answers of one run add up to."""

    examined: int = 0
    matched: int = 0
    corrected: int = 0
    corrected_before: int = 0
    resubmittable: int = 0
    deliveries: Counter[Key] = field(default_factory=Counter)
    domains: Counter[Key] = field(default_factory=Counter)
    texts: Counter[Key] = field(default_factory=Counter)  # meaning, normalised text
    samples: list[MatchedOutcome] = field(default_factory=list)

    def add(self, answer: RequalifyOutcomesResponse) -> None:
        """Add what an answer says."""
        for name in ("examined", "matched", "corrected", "corrected_before", "resubmittable"):
            setattr(self, name, getattr(self, name) + getattr(answer, name))
        for group in answer.groups:
            meaning = f"{words.failure_type(group.failure_type)} / {words.reason(group.failure_reason)}"
            _count(self.deliveries, (group.delivery_id,), group.count)
            _count(self.domains, (group.recipient_domain,), group.count)
            _count(self.texts, (meaning, group.normalized_text), group.count)
        self.samples += answer.matches[: _SAMPLES - len(self.samples)]


def _count(counter: Counter[Key], key: Key, count: int) -> None:
    counter[key if key in counter or len(counter) < _KEYS else (_OTHERS,)] += count


def why_nothing(found: Found, wanted: OutcomeFilter, now: datetime) -> str:
    """Say why no failure was even looked at; "" where some were."""
    if found.examined:
        return ""
    if wanted.from_time.ToDatetime(UTC) >= now:
        return "The window lies in the future: nothing has failed there yet."
    if wanted.to_time.ToDatetime(UTC) <= now - _FOUND_FOR:
        days = _FOUND_FOR.days
        return f"The window ended more than {days} days ago: failures are found no longer than that."
    return "No message failed in this window."


def preview(found: Found) -> Group:
    """All that was found."""
    parts: list[RenderableType] = [
        Text(
            f"{found.matched:,} of {found.examined:,} failures match; "
            f"still within their validity: {found.resubmittable:,}."
        )
    ]
    if found.corrected_before:
        parts.append(Text(f"{found.corrected_before:,} more were corrected before."))
    if found.matched:
        parts.append(_counts(("Delivery",), found.deliveries))
        parts.append(_counts(("Domain",), found.domains))
        parts.append(_counts(("Meaning", "Text"), found.texts))
        parts.append(_samples(found.samples))
    return Group(*parts)


def _counts(titles: tuple[str, ...], counter: Counter[Key]) -> Table:
    table = Table()
    table.add_column("Failures", justify="right")
    for title in titles:
        table.add_column(title, overflow="fold")
    shown = counter.most_common(_ROWS)
    for names, count in shown:
        table.add_row(f"{count:,}", *(Text(name) for name in names))
    if rest := counter.total() - sum(count for _, count in shown):
        table.add_row(f"{rest:,}", _OTHERS)
    return table


def _samples(samples: Iterable[MatchedOutcome]) -> Table:
    table = Table(title="For example", title_justify="left")
    for title in ("Failed (UTC)", "Recipient", "What was said"):
        table.add_column(title, overflow="fold")
    for match in samples:
        said = Text(reply_line(match.reply))
        table.add_row(stamp(match.failure_time), Text(match.recipient), said)
    return table
