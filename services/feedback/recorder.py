"""Taking outcomes into the ledger: load the rows, decide, commit, and again where somebody was faster."""

from __future__ import annotations

from collections.abc import Sequence

from redis.asyncio import Redis

from emta.feedback.v1.feedback_service_pb2 import (
    Recorded,
    RecordOutcomesItem,
    RecordOutcomesResult,
)
from emta.feedback.v1.log_pb2 import LogEvent, LogStatus
from emta.feedback.v1.outcome_pb2 import Outcome
from emta.problems import Problem, failed_precondition, invalid, unavailable
from services.chassis.clock import Clock
from services.chassis.settings import NO_ACKS, Acks
from services.chassis.telemetry import message_span
from services.feedback import finding, kpis, status
from services.feedback.store.ledger import CHANGED_BY_THIS_CALL, Change, Ledger, Row

# Two recorders of one message are rare (a reporter that was taken for dead): a few rounds settle it.
_ROUNDS = 8
_PENDING = LogStatus.LOG_STATUS_PENDING
_FAILED = LogStatus.LOG_STATUS_FAILED

Name = tuple[str, str]


class Recorder:
    """Records the outcomes of all tenants in one store."""

    def __init__(self, store: Redis, clock: Clock, acks: Acks = NO_ACKS) -> None:
        self._store = store
        self._clock = clock
        self._acks = acks

    async def record(
        self, producer: str, items: Sequence[RecordOutcomesItem]
    ) -> list[RecordOutcomesResult]:
        """Record a checked batch; gives a result per item, in order."""
        results: dict[int, RecordOutcomesResult] = {}
        by_tenant: dict[str, list[int]] = {}
        for number, item in enumerate(items):
            by_tenant.setdefault(item.outcome.tenant or "default", []).append(number)
        for tenant, numbers in by_tenant.items():
            ledger = Ledger(self._store, tenant, self._acks)
            waiting = numbers
            for _ in range(_ROUNDS):
                waiting = await self._round(ledger, producer, items, waiting, results)
                if not waiting:
                    break
            for number in waiting:
                results[number] = _error(unavailable("LEDGER_BUSY", "others change the same message"))
        return [results[number] for number in range(len(items))]

    async def _round(
        self,
        ledger: Ledger,
        producer: str,
        items: Sequence[RecordOutcomesItem],
        numbers: Sequence[int],
        results: dict[int, RecordOutcomesResult],
    ) -> list[int]:
        """Decide and commit the items of `numbers`; gives those to decide again."""
        names = list(dict.fromkeys(_name(items[number].outcome) for number in numbers))
        rows = dict(zip(names, await ledger.rows(names), strict=True))
        decided: list[int] = []
        changes: list[Change] = []
        for number in numbers:
            change = _decide(rows, producer, items[number])
            if isinstance(change, Change):
                decided.append(number)
                changes.append(change)
            else:
                results[number] = change
        again = []
        if changes:
            positions = await ledger.commit(changes, self._clock.now_ms())
        else:
            # What was there before may not be on replicas yet.
            await ledger.replicated()
            positions = []
        firsts = iter(await ledger.names_at([-position for position in positions if position < 0]))
        for number, change, position in zip(decided, changes, positions, strict=True):
            if position == 0:
                again.append(number)
            elif position < 0:
                delivery, message = next(firsts)
                results[number] = RecordOutcomesResult(
                    recorded=Recorded(duplicate=True, delivery_id=delivery, message_id=message)
                )
            else:
                _trace(items[number].outcome, change)
                results[number] = RecordOutcomesResult(
                    recorded=Recorded(effect=change.event.effect, position=position)
                )
        return again


def _decide(
    rows: dict[Name, Row], producer: str, item: RecordOutcomesItem
) -> Change | RecordOutcomesResult:
    """Decide one outcome and move its row in `rows`, so that the next of the message builds on it."""
    outcome = item.outcome
    row = rows[_name(outcome)]
    epoch = row.entry.epoch if row.entry else 1
    if outcome.sequence and (answer := _out_of_turn(outcome, epoch, row.sequence)):
        return answer
    try:
        step = status.apply(row.entry, outcome)
    except status.OutcomeError as error:
        return _error(invalid("outcome", "OUTCOME_INVALID", f"outcome: {error}"))
    counters, domain_counters = kpis.changes(step, outcome)
    event = LogEvent(
        outcome=outcome,
        status_before=step.before.status if step.before else _PENDING,
        status_after=step.after.status,
        effect=step.effect,
    )
    if step.before is None:
        # It is in the index now; here it would cost more than all else of the event.
        event.outcome.taken_into_account.ClearField("header_message_id")
    failed = step.after.status == _FAILED and (step.before is None or step.before.status != _FAILED)
    change = Change(
        expected=row.version,
        # Every epoch counts from 1.
        sequence=outcome.sequence or (row.sequence if step.after.epoch == epoch else 0),
        entry=step.after,
        event=event,
        unsequenced_key="" if outcome.sequence else f"{producer}\0{item.producer_key}",
        counters=counters,
        domain=kpis.recipient_domain(step.after),
        domain_counters=domain_counters,
        failed_ms=outcome.event_time.ToMilliseconds() if failed else None,
        found_by=finding.index_entry(outcome) if step.before is None else b"",
    )
    rows[_name(outcome)] = Row(CHANGED_BY_THIS_CALL, change.sequence, step.after)
    return change


def _out_of_turn(outcome: Outcome, epoch: int, last: int) -> RecordOutcomesResult | None:
    """Answer an outcome that is here already, or too early; None: it is the next one."""
    theirs = max(outcome.epoch, 1)
    if theirs < epoch or (theirs == epoch and outcome.sequence <= last):
        return RecordOutcomesResult(recorded=Recorded(duplicate=True))
    expected = last + 1 if theirs == epoch else 1
    if outcome.sequence == expected:
        return None
    text = f"outcome {outcome.sequence} waits for {expected}"
    return _error(failed_precondition("OUTCOME_OUT_OF_ORDER", text, expected=str(expected)))


def _trace(outcome: Outcome, change: Change) -> None:
    if not outcome.traceparent:
        return
    kind = outcome.WhichOneof("event") or ""
    with message_span("feedback", "feedback.record", outcome.traceparent) as span:
        span.set(emta__outcome=kind, emta__status=LogStatus.Name(change.event.status_after))


def _name(outcome: Outcome) -> Name:
    return outcome.delivery_id, outcome.message_id


def _error(problem: Problem) -> RecordOutcomesResult:
    return RecordOutcomesResult(error=problem.to_status())
