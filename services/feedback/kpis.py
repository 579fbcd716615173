"""The figures of a delivery (contract 3.1 and 3.2).

A row of the log contributes to the counters by what it is; an outcome changes them by the difference of
what the row is after and before. Whatever happens in between, the counters are the sum of the rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from emta.bounce.v1.qualification_pb2 import FailureReason
from emta.feedback.v1.delivery_pb2 import (
    CompatKpis,
    DeliveryKpis,
    DeliveryState,
    DomainKpis,
    FailureCount,
)
from emta.feedback.v1.log_pb2 import LogEffect, LogEntry, LogStatus
from emta.feedback.v1.outcome_pb2 import Outcome
from services.feedback.status import Step

_STATUS_COUNTER = {
    LogStatus.LOG_STATUS_TAKEN_INTO_ACCOUNT: "in_flight",
    LogStatus.LOG_STATUS_SENT: "sent",
    LogStatus.LOG_STATUS_FAILED: "failed",
    LogStatus.LOG_STATUS_CANCELLED: "cancelled",
}
_OF_A_DOMAIN = frozenset({"accepted", *_STATUS_COUNTER.values()})
# Events that are counted by themselves, whatever becomes of the row.
_COUNTED_EVENTS = {
    "unknown_result": "possible_duplicates",
    "complaint": "complaints",
    "sent": "ever_sent",
}
_CONFLICT = LogEffect.LOG_EFFECT_CONFLICT
_TAKEN = LogStatus.LOG_STATUS_TAKEN_INTO_ACCOUNT
_SENT = LogStatus.LOG_STATUS_SENT
_FAILED = LogStatus.LOG_STATUS_FAILED
_DOMAIN_ROWS = 100
_FAILURE = "failure:"

# Contract 3.2: Campaign's report formulas look at the reason only.
_COMPAT_HARD = frozenset({FailureReason.FAILURE_REASON_USER_UNKNOWN})
_COMPAT_SOFT = frozenset(
    {
        FailureReason.FAILURE_REASON_INVALID_DOMAIN,
        FailureReason.FAILURE_REASON_UNREACHABLE,
        FailureReason.FAILURE_REASON_ACCOUNT_DISABLED,
        FailureReason.FAILURE_REASON_MAILBOX_FULL,
        FailureReason.FAILURE_REASON_REFUSED,
    }
)


def recipient_domain(row: LogEntry) -> str:
    """Domain of the recipient, lower case."""
    return row.recipient.rpartition("@")[2].lower()


def changes(step: Step, outcome: Outcome) -> tuple[dict[str, int], dict[str, int]]:
    """Give what a step adds to the delivery's counters, and to those of the recipient's domain."""
    delta = _contribution(step.after)
    if step.before is not None:
        for name, count in _contribution(step.before).items():
            delta[name] = delta.get(name, 0) - count
    event = outcome.WhichOneof("event") or ""
    counted = "conflicts" if step.effect == _CONFLICT else _COUNTED_EVENTS.get(event)
    if counted is not None:
        delta[counted] = delta.get(counted, 0) + 1
    return (
        {name: count for name, count in delta.items() if count},
        {name: count for name, count in delta.items() if count and name in _OF_A_DOMAIN},
    )


def _contribution(row: LogEntry) -> dict[str, int]:
    status = row.status
    counts = {"accepted": 1, _STATUS_COUNTER[status]: 1}
    if row.seed:
        counts["seeds"] = 1
    if status == _SENT:
        if row.presumed:
            counts["presumed"] = 1
        if row.seed:
            counts["seeds_sent"] = 1
    elif status == _FAILED:
        counts[f"{_FAILURE}{row.failure_type}:{row.failure_reason}:{row.bounce_code}"] = 1
        if row.requalified:
            counts["requalified"] = 1
    elif status == _TAKEN and row.failure_type:
        counts["deferred"] = 1
    return counts


def to_deliver(counters: Mapping[str, int]) -> int:
    """What was announced, or what was accepted where that is more (contract decision 8)."""
    return max(counters.get("announced", 0), counters.get("accepted", 0))


def kpis(
    delivery_id: str,
    state: DeliveryState,
    counters: Mapping[str, int],
    domains: Mapping[str, Mapping[str, int]],
) -> DeliveryKpis:
    """Put the counters of a delivery together. What adds up: see DeliveryKpis."""
    total = to_deliver(counters)
    accepted, sent, failed = (counters.get(name, 0) for name in ("accepted", "sent", "failed"))
    unsubmitted = total - accepted
    closed = state == DeliveryState.DELIVERY_STATE_CLOSED
    figures = DeliveryKpis(
        delivery_id=delivery_id,
        to_deliver=total,
        accepted=accepted,
        pending=0 if closed else unsubmitted,
        in_flight=counters.get("in_flight", 0),
        deferred=counters.get("deferred", 0),
        sent=sent,
        failed=failed,
        cancelled=counters.get("cancelled", 0) + (unsubmitted if closed else 0),
        processed=sent + failed,
        over_announced="announced" in counters and accepted > counters["announced"],
        presumed=counters.get("presumed", 0),
        possible_duplicates=counters.get("possible_duplicates", 0),
        complaints=counters.get("complaints", 0),
        conflicts=counters.get("conflicts", 0),
        seeds=counters.get("seeds", 0),
        requalified=counters.get("requalified", 0),
        failures=_failures(counters),
        domains=_domains(domains),
    )
    if counters.get("ever_sent", 0):
        figures.success_percent = 100 * sent / total
    figures.compat.CopyFrom(_compat(figures, counters.get("seeds_sent", 0)))
    return figures


def _failures(counters: Mapping[str, int]) -> list[FailureCount]:
    rows = []
    for name, count in counters.items():
        if name.startswith(_FAILURE) and count:
            kind, reason, code = map(int, name.removeprefix(_FAILURE).split(":"))
            rows.append(FailureCount(type=kind, reason=reason, bounce_code=code, count=count))  # type: ignore[arg-type]
    return sorted(rows, key=lambda row: (-row.count, row.type, row.reason, row.bounce_code))


def _domains(domains: Mapping[str, Mapping[str, int]]) -> list[DomainKpis]:
    ordered = sorted(domains.items(), key=lambda item: (-item[1].get("accepted", 0), item[0]))
    rows = [DomainKpis(domain=name, **counts) for name, counts in ordered[:_DOMAIN_ROWS]]
    if len(ordered) > _DOMAIN_ROWS:
        others: Counter[str] = Counter()
        for _, counts in ordered[_DOMAIN_ROWS:]:
            others.update(counts)
        rows.append(DomainKpis(domain="", **others))
    return rows


def _compat(figures: DeliveryKpis, seeds_sent: int) -> CompatKpis:
    compat = CompatKpis(success=figures.sent - seeds_sent)
    for row in figures.failures:
        if row.reason in _COMPAT_HARD:
            compat.hard += row.count
        elif row.reason in _COMPAT_SOFT:
            compat.soft += row.count
        else:
            compat.other += row.count
    return compat
