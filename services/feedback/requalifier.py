"""Finding failures by their time and correcting them (E13), some hundreds at once.

The index of failures names the messages of every hour; only the rows of those are read that domain and
delivery do not rule out. Nothing is kept from one step to the next but the place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from emta.bounce.v1.qualification_pb2 import Qualification
from emta.feedback.v1.feedback_service_pb2 import RecordOutcomesItem
from emta.feedback.v1.log_pb2 import LogEffect, LogEntry, LogStatus
from emta.feedback.v1.outcome_pb2 import Correction, Outcome
from emta.feedback.v1.requalify_service_pb2 import (
    MatchedGroup,
    MatchedOutcome,
    Requalification,
    RequalifyOutcomesResponse,
)
from emta.problems import Problem
from services.feedback.kpis import recipient_domain
from services.feedback.outcome_filter import OutcomeFilter
from services.feedback.recorder import Recorder
from services.feedback.store.ledger import HOUR_MS, FailedMessage, Ledger

PRODUCER = "requalify"
# Rows read and corrected at once: a commit of so many takes the store a few milliseconds.
_ROWS_A_STEP = 500
_SAMPLES = 5
_FAILED = LogStatus.LOG_STATUS_FAILED


@dataclass(frozen=True)
class Place:
    """How far a search has come: an hour of Unix time, and the last position looked at in it."""

    hour: int
    position: int


@dataclass(frozen=True)
class Match:
    """A failure that the filter means."""

    failed: FailedMessage
    entry: LogEntry
    resubmittable: bool


@dataclass(frozen=True)
class Step:
    """What one look at the index gave."""

    place: Place
    examined: int
    matches: list[Match]
    corrected_before: int


async def find(ledger: Ledger, wanted: OutcomeFilter, start: Place, now_ms: int) -> AsyncIterator[Step]:
    """Yield what the filter matches, step by step, after a place. What is corrected meanwhile is safe."""
    for hour in wanted.hours:
        if hour < start.hour:
            continue
        after = start.position if hour == start.hour else 0
        while page := await ledger.failed(hour, after):
            for first in range(0, len(page), _ROWS_A_STEP):
                yield await _look(ledger, wanted, hour, page[first : first + _ROWS_A_STEP], now_ms)
            after = page[-1].position


async def _look(
    ledger: Ledger, wanted: OutcomeFilter, hour: int, page: Sequence[FailedMessage], now_ms: int
) -> Step:
    candidates = [failed for failed in page if wanted.may_match(failed)]
    rows = await ledger.rows([(failed.delivery, failed.message) for failed in candidates])
    matches, before = [], 0
    for failed, row in zip(candidates, rows, strict=True):
        entry = row.entry
        # A message of a later epoch has got over this failure.
        if entry is None or entry.status != _FAILED or entry.epoch != failed.epoch:
            continue
        if entry.requalified:
            before += wanted.matches_reply(entry)
        elif wanted.matches(entry):
            matches.append(Match(failed, entry, now_ms < entry.deadline_time.ToMilliseconds()))
    return Step(Place(hour, page[-1].position), len(page), matches, before)


async def correct(
    recorder: Recorder, tenant: str, run: Requalification, matches: Sequence[Match], now_ms: int
) -> list[Match]:
    """Record a correction of every match; gives those that nobody else corrected meanwhile.

    Raises Problem: what was recorded stays, and is skipped by the next search.
    """
    items = [_correction(tenant, run, match, now_ms) for match in matches]
    corrected = []
    results = await recorder.record(PRODUCER, items) if items else []
    for match, result in zip(matches, results, strict=True):
        if result.HasField("error"):
            raise Problem.from_status(result.error)
        if result.recorded.effect == LogEffect.LOG_EFFECT_APPLIED:
            corrected.append(match)
    return corrected


def _correction(tenant: str, run: Requalification, match: Match, now_ms: int) -> RecordOutcomesItem:
    entry = match.entry
    meaning = Qualification()
    meaning.CopyFrom(run.meaning)
    meaning.normalized_text = entry.normalized_text
    told = Correction(
        corrects=match.failed.position,
        qualification=meaning,
        actor=run.actor,
        comment=run.comment,
        was=_was(entry),
        failure_time=entry.final_time,
        requalification_id=run.requalification_id,
    )
    if entry.HasField("last_reply"):
        told.reply.CopyFrom(entry.last_reply)
    if run.allow_resubmit and match.resubmittable:
        told.resubmit_until_time.CopyFrom(entry.deadline_time)
    outcome = Outcome(
        tenant=tenant,
        delivery_id=entry.delivery_id,
        message_id=entry.message_id,
        recipient=entry.recipient,
        seed=entry.seed,
        retry_count=entry.retry_count,
        epoch=entry.epoch,
        correction=told,
    )
    outcome.event_time.FromMilliseconds(now_ms)
    # A failure is corrected once, whoever asks.
    return RecordOutcomesItem(producer_key=str(match.failed.position), outcome=outcome)


def _was(entry: LogEntry) -> Qualification:
    was = Qualification(
        type=entry.failure_type,
        reason=entry.failure_reason,
        bounce_code=entry.bounce_code,
        rule_id=entry.rule_id,
        normalized_text=entry.normalized_text,
    )
    if entry.HasField("campaign_reason"):
        was.campaign_reason = entry.campaign_reason
    return was


def answer(step: Step, corrected: Sequence[Match], *, all_matches: bool) -> RequalifyOutcomesResponse:
    """Tell what a step found, and did."""
    groups: Counter[tuple[str, str, str, int, int, int]] = Counter()
    for match in step.matches:
        entry = match.entry
        groups[
            entry.delivery_id,
            recipient_domain(entry),
            entry.normalized_text,
            entry.failure_type,
            entry.failure_reason,
            entry.bounce_code,
        ] += 1
    response = RequalifyOutcomesResponse(
        examined=step.examined,
        matched=len(step.matches),
        corrected=len(corrected),
        corrected_before=step.corrected_before,
        resubmittable=sum(match.resubmittable for match in step.matches),
        groups=[_group(key, count) for key, count in groups.most_common()],
        matches=[_told(match) for match in (step.matches if all_matches else step.matches[:_SAMPLES])],
    )
    response.reached_time.FromMilliseconds(step.place.hour * HOUR_MS)
    return response


def _group(key: tuple[str, str, str, int, int, int], count: int) -> MatchedGroup:
    delivery, domain, text, kind, reason, code = key
    return MatchedGroup(
        delivery_id=delivery,
        recipient_domain=domain,
        normalized_text=text,
        failure_type=kind,  # type: ignore[arg-type]
        failure_reason=reason,  # type: ignore[arg-type]
        bounce_code=code,  # type: ignore[arg-type]
        count=count,
    )


def _told(match: Match) -> MatchedOutcome:
    entry = match.entry
    return MatchedOutcome(
        position=match.failed.position,
        delivery_id=entry.delivery_id,
        message_id=entry.message_id,
        recipient=entry.recipient,
        failure_time=entry.final_time,
        reply=entry.last_reply,
        was=_was(entry),
        resubmittable=match.resubmittable,
    )
