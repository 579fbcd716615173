"""One attempt of one message: sign, send, qualify, settle. What it needs from others goes in batches."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

from redis.exceptions import RedisError

from emta.bounce.v1.bounce_service_pb2 import QualifyRepliesItem, QualifyRepliesResult
from emta.bounce.v1.qualification_pb2 import (
    BounceCode,
    Cause,
    Disposition,
    FailureReason,
    FailureType,
    Qualification,
)
from emta.bounce.v1.smtp_reply_pb2 import SmtpReply
from emta.feedback.v1.feedback_service_pb2 import RecordOutcomesItem
from emta.feedback.v1.outcome_pb2 import FailureCause, HoldCause
from emta.problems import Problem
from emta.signer.v1.signer_service_pb2 import SignItem, SignResult
from services.chassis.clock import Clock
from services.chassis.logs import Log
from services.chassis.telemetry import message_span
from services.relay import outcomes
from services.relay.batcher import Batcher
from services.relay.lanes import Job, Lanes
from services.relay.peers import Peers
from services.relay.retry import next_attempt
from services.relay.session import Delivered, Refused, Transaction, Unknown
from services.relay.settings import RelaySettings
from services.relay.store.queue import Claimed, Queue, Settlement

_log = Log("relay")

# A call costs about as much for one item as for a hundred: five milliseconds gather most of them.
_BATCH_ITEMS, _BATCH_SECONDS = 100, 0.005
_SIGN_BYTES = 4 * 1024 * 1024
_STORE_AWAY_SECONDS = 0.2

# No receiver said this: the connection went away after the final dot.
_LOST_AFTER_DOT = Qualification(
    type=FailureType.FAILURE_TYPE_SOFT,
    reason=FailureReason.FAILURE_REASON_UNREACHABLE,
    campaign_reason=3,
    bounce_code=BounceCode.BOUNCE_CODE_TIMEOUT,
    disposition=Disposition.DISPOSITION_RETRY,
    cause=Cause.CAUSE_NETWORK,
    rule_id="relay.lost-after-dot",
)


@dataclass(frozen=True)
class _Attempt:
    """The message at hand and the trace context of this attempt."""

    claimed: Claimed
    traceparent: str


class Deliverer:
    """Takes messages on lease and settles each: finished, or due again."""

    def __init__(
        self,
        queue: Queue,
        clock: Clock,
        lanes: Lanes,
        peers: Peers,
        settings: RelaySettings,
        settled: Callable[[], None],
    ) -> None:
        self._queue = queue
        self._clock = clock
        self._lanes = lanes
        self._settings = settings
        self._settled = settled  # called whenever there are new outcomes
        self._stopping = False
        self._sign: Batcher[SignItem, SignResult] = Batcher(
            peers.sign,
            max_items=_BATCH_ITEMS,
            max_wait_seconds=_BATCH_SECONDS,
            weigh=lambda item: len(item.content),
            max_weight=_SIGN_BYTES,
        )
        self._qualify: Batcher[QualifyRepliesItem, QualifyRepliesResult] = Batcher(
            peers.qualify, max_items=_BATCH_ITEMS, max_wait_seconds=_BATCH_SECONDS
        )
        self._settle: Batcher[Settlement, bool] = Batcher(
            self._settle_all, max_items=_BATCH_ITEMS, max_wait_seconds=_BATCH_SECONDS
        )

    def stop(self) -> None:
        """Begin no more transactions: what has not begun goes back to the queue."""
        self._stopping = True

    async def deliver(self, claimed: Claimed) -> None:
        """Work on a message until it is settled."""
        attributes: dict[str, str | int] = {
            "emta.attempt": claimed.failed_attempts + 1,
            "emta.domain": claimed.message.rcpt_to.rpartition("@")[2],
        }
        with message_span("relay", "relay.attempt", claimed.traceparent, attributes) as span:
            settlement = await self._attempt(_Attempt(claimed, span.traceparent))
        if not await self._settle.submit(settlement):
            _log.warning("lease_lost", message=claimed.message.message_id)

    async def _attempt(self, attempt: _Attempt) -> Settlement:
        claimed = attempt.claimed
        if claimed.reply is not None and claimed.qualification is None:
            return await self._refused(attempt, claimed.reply)
        if self._clock.now_ms() >= claimed.deadline_ms:
            return self._expired(attempt)
        try:
            content = await self._signed(attempt)
        except Problem as problem:
            return self._not_signed(attempt, problem)
        job = Job(
            Transaction(
                mail_from=claimed.message.mail_from,
                rcpt_to=claimed.message.rcpt_to,
                content=content,
                needs_8bitmime=claimed.needs_8bitmime,
                needs_smtputf8=claimed.needs_smtputf8,
            ),
            attempt.traceparent,
            lambda: self._may_begin(claimed),
        )
        match await self._lanes.send(claimed.message.rcpt_to.rpartition("@")[2], job):
            case Delivered() as result:
                return self._finished(
                    attempt,
                    outcomes.sent(claimed, self._clock.now_ms(), attempt.traceparent, result, len(content)),
                )
            case Refused(reply):
                return await self._refused(attempt, reply)
            case Unknown() as result:
                return self._unknown(attempt, result, len(content))
            case None:
                return self._not_begun(attempt)

    def _may_begin(self, claimed: Claimed) -> bool:
        """Whether a transaction may begin: neither the validity nor our lease may have ended."""
        return not self._stopping and self._clock.now_ms() < min(
            claimed.deadline_ms, claimed.leased_until_ms
        )

    def _not_begun(self, attempt: _Attempt) -> Settlement:
        """Give it back. Should it be another Relay's by now, the fence keeps us out."""
        now_ms = self._clock.now_ms()
        if now_ms >= attempt.claimed.deadline_ms:
            return self._expired(attempt)
        return Settlement(attempt.claimed, now_ms, [])

    async def _signed(self, attempt: _Attempt) -> bytes:
        """Give the content with its signature on top. Raises Problem."""
        claimed = attempt.claimed
        identity = claimed.message.dkim_identity
        item = SignItem(
            content=claimed.content,
            domain=identity.domain,
            selector=identity.selector,
            traceparent=attempt.traceparent,
            tenant=claimed.tenant,
        )
        result = await self._sign.submit(item)
        if result.WhichOneof("result") == "error":
            problem = Problem.from_status(result.error)
            if problem.reason == "NO_KEY" and self._settings.without_key == "unsigned":
                return claimed.content
            raise problem
        return result.signature_header + claimed.content

    def _not_signed(self, attempt: _Attempt, problem: Problem) -> Settlement:
        if problem.reason == "NO_KEY":
            if self._settings.without_key == "refuse":
                return self._given_up(attempt, FailureCause.FAILURE_CAUSE_NO_KEY)
            return self._held(attempt, HoldCause.HOLD_CAUSE_NO_KEY)
        if problem.reason in ("FROM_MISSING", "DOMAIN_INVALID", "SELECTOR_INVALID"):
            _log.error("unsignable", message=attempt.claimed.message.message_id, reason=problem.reason)
            return self._given_up(attempt, FailureCause.FAILURE_CAUSE_INTERNAL)
        _log.warning("signer_away", reason=problem.reason)
        return self._held(attempt, HoldCause.HOLD_CAUSE_SIGNER_UNAVAILABLE)

    async def _refused(self, attempt: _Attempt, reply: SmtpReply) -> Settlement:
        """Have the reply qualified; while Bounce is away it is kept, and nobody guesses."""
        claimed = attempt.claimed
        claimed.reply, claimed.qualification = reply, None
        try:
            item = QualifyRepliesItem(reply=reply, traceparent=attempt.traceparent)
            result = await self._qualify.submit(item)
            if result.WhichOneof("result") == "error":
                raise Problem.from_status(result.error)
        except Problem as problem:
            _log.warning("bounce_away", reason=problem.reason)
            if self._clock.now_ms() >= claimed.deadline_ms:
                return self._expired(attempt)
            return self._held(attempt, HoldCause.HOLD_CAUSE_BOUNCE_UNAVAILABLE)
        claimed.qualification = result.qualification
        claimed.failed_attempts += 1
        now_ms = self._clock.now_ms()
        next_ms = self._next_ms(claimed, result.qualification, now_ms)
        if next_ms is None:
            return self._finished(attempt, outcomes.refused(claimed, now_ms, attempt.traceparent))
        claimed.hold = HoldCause.HOLD_CAUSE_UNSPECIFIED
        return Settlement(
            claimed, next_ms, [outcomes.deferral(claimed, now_ms, attempt.traceparent, next_ms)]
        )

    def _unknown(self, attempt: _Attempt, result: Unknown, size: int) -> Settlement:
        claimed, now_ms = attempt.claimed, self._clock.now_ms()
        if self._settings.unknown_result == "presume":
            return self._finished(attempt, outcomes.sent(claimed, now_ms, attempt.traceparent, None, size))
        claimed.reply, claimed.qualification = result.reply, _LOST_AFTER_DOT
        claimed.failed_attempts += 1
        next_ms = self._next_ms(claimed, _LOST_AFTER_DOT, now_ms) or claimed.deadline_ms
        told = outcomes.unknown_result(claimed, now_ms, attempt.traceparent, result, next_ms)
        return Settlement(claimed, next_ms, [told])

    def _next_ms(self, claimed: Claimed, meaning: Qualification, now_ms: int) -> int | None:
        decision = next_attempt(
            meaning,
            now_ms=now_ms,
            accepted_ms=claimed.accepted_ms,
            deadline_ms=claimed.deadline_ms,
            failed_attempts=claimed.failed_attempts,
            base_ms=round(self._settings.retry_base_seconds * 1000),
            jitter=random.random(),
        )
        return None if decision is None else decision.at_ms

    def _held(self, attempt: _Attempt, cause: HoldCause) -> Settlement:
        """Wait without an attempt counted; Feedback is told once per cause."""
        claimed, now_ms = attempt.claimed, self._clock.now_ms()
        next_ms = min(now_ms + round(self._settings.hold_seconds * 1000), claimed.deadline_ms)
        told = []
        if claimed.hold != cause:
            claimed.hold = cause
            told.append(outcomes.hold(claimed, now_ms, attempt.traceparent, cause, next_ms))
        return Settlement(claimed, next_ms, told)

    def _expired(self, attempt: _Attempt) -> Settlement:
        told = outcomes.expired(attempt.claimed, self._clock.now_ms(), attempt.traceparent)
        return self._finished(attempt, told)

    def _given_up(self, attempt: _Attempt, cause: FailureCause) -> Settlement:
        told = outcomes.given_up(attempt.claimed, self._clock.now_ms(), attempt.traceparent, cause)
        return self._finished(attempt, told)

    def _finished(self, attempt: _Attempt, told: RecordOutcomesItem) -> Settlement:
        return Settlement(attempt.claimed, None, [told])

    async def _settle_all(self, settlements: list[Settlement]) -> list[bool]:
        """Settle, shard by shard. Repeated until the store answers: the fence makes that safe."""
        by_shard: dict[int, list[int]] = {}
        for number, settlement in enumerate(settlements):
            by_shard.setdefault(settlement.claimed.shard, []).append(number)
        done = [False] * len(settlements)
        for shard, numbers in by_shard.items():
            batch = [settlements[number] for number in numbers]
            while True:
                try:
                    results = await self._queue.settle(shard, batch)
                    break
                except RedisError as error:
                    _log.warning("store_away", error=type(error).__name__)
                    await asyncio.sleep(_STORE_AWAY_SECONDS)
            for number, result in zip(numbers, results, strict=True):
                done[number] = result
        self._settled()
        return done
