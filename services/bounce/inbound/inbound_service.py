"""InboundService: mails that came back, read, brought to their messages, and told to Feedback."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import grpc
from opentelemetry.trace import SpanKind

from emta.bounce.v1 import inbound_service_pb2_grpc
from emta.bounce.v1.inbound_service_pb2 import (
    FoundBy,
    InboundEffect,
    InboundRecipient,
    InboundReport,
    QualifyInboundItem,
    QualifyInboundRequest,
    QualifyInboundResponse,
    QualifyInboundResult,
)
from emta.feedback.v1.feedback_service_pb2 import RecordOutcomesItem, RecordOutcomesResult
from emta.feedback.v1.log_pb2 import LogEffect
from emta.problems import Problem, invalid, unavailable
from emta.return_path import ReturnPaths
from services.bounce.catalogue.live_rules import LiveRules
from services.bounce.inbound import events
from services.bounce.inbound.entity import LimitError
from services.bounce.inbound.feedback import Feedback
from services.bounce.inbound.mail import InboundMail, Recipient
from services.bounce.inbound.original import (
    Clues,
    Found,
    clues_of,
    found_for,
    original_of,
    queries_of,
)
from services.bounce.inbound.outcome import answered, meaning_by, reply_of
from services.bounce.inbound.reading import read
from services.bounce.qualify import Answer, Qualifier
from services.bounce.rows.counting import Counting
from services.chassis.clock import Clock
from services.chassis.logs import Log
from services.chassis.rpc import tenant_of
from services.chassis.telemetry import begin_span

_MAX_ITEMS, _MAX_BATCH_OCTETS = 100, 16 * 1024 * 1024
# RFC 5321 section 4.5.3.1.3 allows 254 octets; rewriters of senders go beyond it.
_MAX_ADDRESS = 512
# Clocks within an installation differ by less.
_FUTURE_MS = 300_000
# How long a mail about a message in flight should wait.
_IN_FLIGHT_SECONDS = 60.0

# The Relay tells of a message at once, but Feedback may be away. After so long it has lost it.
_UNKNOWN_MS = 4 * 86_400_000

_log = Log("bounce")


@dataclass
class _Case:
    """A mail on its way through a call."""

    item: QualifyInboundItem
    mail: InboundMail
    clues: Clues
    digest: bytes
    arrived_ms: int
    found: Found = field(default_factory=Found)
    recipients: list[InboundRecipient] = field(default_factory=list)
    # By number of the recipient:
    answers: list[Answer | None] = field(default_factory=list)
    told: dict[int, RecordOutcomesItem] = field(default_factory=dict)
    problem: Problem | None = None  # why it has to come again
    is_about_unknown: bool = False  # it names a message that we have signed, and Feedback has none


class InboundService(inbound_service_pb2_grpc.InboundServiceServicer):
    """Qualifies by the rules in force; what comes of it, Feedback keeps."""

    def __init__(
        self,
        rules: LiveRules,
        counting: Counting,
        feedback: Feedback,
        clock: Clock,
        paths: ReturnPaths | None,
    ) -> None:
        self._rules = rules
        self._counting = counting
        self._feedback = feedback
        self._clock = clock
        self._paths = paths

    async def QualifyInbound(
        self, request: QualifyInboundRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> QualifyInboundResponse:
        """Read, find, record: each with one call for the whole batch."""
        _check(request)
        opened = [await self._open(item) for item in request.items]
        cases = [case for case in opened if isinstance(case, _Case)]
        await self._find(cases)
        qualifier = self._rules.qualifier
        now_ms = self._clock.now_ms()
        for case in cases:
            named = case.clues.name is not None and not case.found.named
            case.is_about_unknown = named and case.arrived_ms > now_ms - _UNKNOWN_MS
            if case.problem is None:
                _decide(case, qualifier, tenant_of(context))
        await self._record(cases)
        forged = sum(case.clues.forged for case in cases)
        if forged:
            _log.warning("forged return paths", mails=forged)
        return QualifyInboundResponse(
            results=[_result(case) for case in opened],
            forged_return_paths=forged,
            rules_version=qualifier.version,
        )

    async def _open(self, item: QualifyInboundItem) -> _Case | Problem:
        now_ms = self._clock.now_ms()
        try:
            arrived_ms = item.arrival_time.ToMilliseconds() if item.HasField("arrival_time") else now_ms
        except ValueError as error:
            return invalid("arrival_time", "TIME_INVALID", f"arrival_time: {error}")
        if not item.content:
            return invalid("content", "CONTENT_EMPTY", "the mail is empty")
        if len(item.envelope_recipient) > _MAX_ADDRESS:
            text = f"envelope_recipient is longer than {_MAX_ADDRESS} characters"
            return invalid("envelope_recipient", "RECIPIENT_TOO_LONG", text)
        if arrived_ms > now_ms + _FUTURE_MS:
            return invalid("arrival_time", "ARRIVAL_IN_FUTURE", "arrival_time lies in the future")
        try:
            # In a thread: replies of sessions that wait go first.
            mail = await asyncio.to_thread(read, item.content)
        except LimitError as error:
            return invalid("content", "MAIL_OVER_LIMIT", str(error))
        clues = clues_of(mail, item.envelope_recipient, self._paths)
        return _Case(item, mail, clues, events.digest(item.content), min(arrived_ms, now_ms))

    async def _find(self, cases: Sequence[_Case]) -> None:
        """Ask Feedback for the rows that the mails may be about."""
        queries = [queries_of(case.mail, case.clues, case.arrived_ms) for case in cases]
        wanted = list(chain(*queries))
        if not wanted:
            return
        try:
            answers = iter(await self._feedback.find(wanted))
        except Problem as problem:
            for case, own in zip(cases, queries, strict=True):
                case.problem = problem if own else None
            return
        for case, own in zip(cases, queries, strict=True):
            case.found = found_for(own, [next(answers).entries for _ in own])

    async def _record(self, cases: Sequence[_Case]) -> None:
        told = [(case, number) for case in cases if case.problem is None for number in case.told]
        results = await self._feedback.record([case.told[number] for case, number in told])
        for (case, number), result in zip(told, results, strict=True):
            if isinstance(result, Problem):
                case.problem = result
            elif result.WhichOneof("result") == "error":
                reason = Problem.from_status(result.error).reason
                case.problem = unavailable(
                    "FEEDBACK_UNAVAILABLE", f"Feedback has not recorded it: {reason}"
                )
            else:
                recipient = case.recipients[number]
                recipient.effect = _effect(result)
                if result.recorded.duplicate:
                    # The last one to him may be another by now than the one that the mail was recorded for.
                    recipient.delivery_id = result.recorded.delivery_id
                    recipient.message_id = result.recorded.message_id
                answer = case.answers[number]
                # What a mail says of a message of ours counts; anybody can send other mails.
                if answer is not None and not result.recorded.duplicate:
                    self._counting.count(answer, recipient.reply)


def _check(request: QualifyInboundRequest) -> None:
    if not request.items:
        raise invalid("items", "BATCH_EMPTY", "items is empty")
    octets = sum(len(item.content) for item in request.items)
    if len(request.items) > _MAX_ITEMS or octets > _MAX_BATCH_OCTETS:
        text = f"items: at most {_MAX_ITEMS} mails and {_MAX_BATCH_OCTETS} octets"
        raise invalid("items", "BATCH_TOO_LARGE", text)


def _decide(case: _Case, qualifier: Qualifier, tenant: str) -> None:
    """Qualify each recipient, find his message, and make the event to record."""
    span = begin_span("bounce", "bounce.inbound", case.item.traceparent, kind=SpanKind.SERVER)
    for number, recipient in enumerate(case.mail.recipients):
        answer = answered(case.mail, recipient, qualifier)
        said, outcome_item = _about_recipient(case, recipient, answer, tenant)
        case.answers.append(answer)
        case.recipients.append(said)
        if outcome_item is not None:
            outcome_item.outcome.traceparent = span.traceparent
            case.told[number] = outcome_item
    span.set(emta__kind=case.mail.kind, emta__found=len(case.told))
    span.end()


def _about_recipient(
    case: _Case, recipient: Recipient, answer: Answer | None, tenant: str
) -> tuple[InboundRecipient, RecordOutcomesItem | None]:
    mail, name = case.mail, case.clues.name
    reply, qualification = reply_of(mail, recipient), meaning_by(mail, recipient, answer)
    said = InboundRecipient(address=recipient.address, reply=reply, qualification=qualification)
    outcome = events.outcome_of(mail, reply, qualification)
    found_by, row = original_of(mail, recipient, case.clues, case.found, case.arrived_ms)
    if row is None:
        if outcome is not None and case.is_about_unknown:
            case.problem = _in_flight("Feedback does not know its message yet")
        return said, None
    said.found_by = found_by
    said.tenant, said.delivery_id, said.message_id = tenant, row.delivery_id, row.message_id
    if outcome is None:
        return said, None
    epoch = 0
    if name is not None and found_by == FoundBy.FOUND_BY_RETURN_PATH:
        said.tenant, epoch = name.tenant, name.epoch
    events.about(outcome, row, tenant=said.tenant, epoch=epoch, arrived_ms=case.arrived_ms)
    if events.ends(outcome, row):
        case.problem = _in_flight("for Feedback the delivery of its message is not over")
    return said, events.item(outcome, case.digest, recipient.address)


def _in_flight(why: str) -> Problem:
    text = f"{why}; send the mail again"
    return unavailable("MESSAGE_IN_FLIGHT", text, retry_after=_IN_FLIGHT_SECONDS)


def _effect(result: RecordOutcomesResult) -> InboundEffect:
    if result.recorded.duplicate:
        return InboundEffect.INBOUND_EFFECT_DUPLICATE
    if result.recorded.effect == LogEffect.LOG_EFFECT_APPLIED:
        return InboundEffect.INBOUND_EFFECT_FAILED
    return InboundEffect.INBOUND_EFFECT_RECORDED


def _result(case: _Case | Problem) -> QualifyInboundResult:
    if isinstance(case, Problem):
        return QualifyInboundResult(error=case.to_status())
    if case.problem is not None:
        return QualifyInboundResult(error=case.problem.to_status())
    report = InboundReport(
        kind=f"INBOUND_KIND_{case.mail.kind.upper()}",
        recipients=case.recipients,
        forged_return_path=case.clues.forged,
    )
    return QualifyInboundResult(report=report)
