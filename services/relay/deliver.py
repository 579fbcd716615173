"""Attempts: find the route, sign, send, qualify, settle. What others do for it goes in batches."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from emta.bounce.v1.bounce_service_pb2 import QualifyRepliesItem, QualifyRepliesResult
from emta.bounce.v1.qualification_pb2 import Qualification
from emta.bounce.v1.smtp_reply_pb2 import SmtpReply
from emta.feedback.v1.feedback_service_pb2 import RecordOutcomesItem
from emta.feedback.v1.outcome_pb2 import FailureCause, HoldCause
from emta.problems import Problem
from emta.signer.v1.signer_service_pb2 import HeaderAndBodyHash, SignItem, SignResult
from emta.signing import header_block
from services.chassis.clock import Clock
from services.chassis.logs import Log
from services.chassis.telemetry import begin_span
from services.relay import outcomes
from services.relay.acceptance_reporter import AcceptanceReporter
from services.relay.acceptances import Acceptances
from services.relay.attempt import Attempt
from services.relay.lanes import Lanes
from services.relay.limits import Limits
from services.relay.mx import MxResolver, Route
from services.relay.peers import Peers
from services.relay.replies import AttemptFailed
from services.relay.retry import next_attempt
from services.relay.session import Connector, Delivered, Refused, Result, Transaction, Unknown
from services.relay.settings import RelaySettings
from services.relay.settler import Settler
from services.relay.stage import Stage
from services.relay.store.queue import Queue
from services.relay.store.record import Claimed

_log = Log("relay")

# A message is set aside when whoever handled it died this often: its owner twice among others, then three
# times with it as the only suspect; a service of ours three times while asked about it alone.
_OWNER_CRASHES, _PEER_CRASHES = 5, 3

# A domain of a site that is full is looked at again after so long.
_FULL_SITE_MS = 5_000

_SIGNER_AWAY = HoldCause.HOLD_CAUSE_SIGNER_UNAVAILABLE
_BOUNCE_AWAY = HoldCause.HOLD_CAUSE_BOUNCE_UNAVAILABLE


class Deliverer:
    """Takes messages on lease and settles each: finished, or due again.

    No message has a task of its own: it moves from batch to batch, and in between over a lane.
    """

    def __init__(
        self,
        queue: Queue,
        clock: Clock,
        resolver: MxResolver,
        connector: Connector,
        limits: Limits,
        peers: Peers,
        acceptances: Acceptances,
        settings: RelaySettings,
        settled: Callable[[int | None], None],
    ) -> None:
        self._clock = clock
        self._resolver = resolver
        self._limits = limits
        self._acceptances = acceptances
        self._acceptance_reporter = AcceptanceReporter(acceptances, peers)
        self._settings = settings
        self._settled = settled  # told whenever a message was, and when it is due again (ms; None: never)
        self._settler = Settler(queue, self._leave)
        self._stopping = False
        self._resolving: dict[str, list[Attempt]] = {}
        self._lookups: set[asyncio.Task[None]] = set()
        self._suspects: set[Attempt] = set()
        self.in_flight: set[Attempt] = set()
        self.octets_in_flight = 0
        self.lanes = Lanes(
            connector,
            limits,
            clock,
            connections=settings.connections_per_site,
            idle_seconds=settings.idle_seconds,
            may_begin=self._may_begin,
            ended=self._ended,
            abandoned=self._leave,
        )
        self._sign: Stage[Attempt, SignItem, SignResult] = Stage(
            item=_sign_item,
            weigh=lambda attempt: attempt.header_octets,
            call=peers.sign,
            serves=peers.signer_serves,
            answered=self._signed,
            away=lambda attempt: self._hold(attempt, _SIGNER_AWAY),
            died=lambda attempt: self._peer_died(attempt, _SIGNER_AWAY),
            dropped=self._leave,
        )
        self._qualify: Stage[Attempt, QualifyRepliesItem, QualifyRepliesResult] = Stage(
            item=self._qualify_item,
            weigh=lambda attempt: 1024,
            call=self._acceptance_reporter.qualify,
            serves=peers.bounce_serves,
            answered=self._qualified,
            away=lambda attempt: self._hold(attempt, _BOUNCE_AWAY),
            died=lambda attempt: self._peer_died(attempt, _BOUNCE_AWAY),
            dropped=self._leave,
        )

    @property
    def has_suspect(self) -> bool:
        """Whether a message is at hand whose owners died more than once."""
        return bool(self._suspects)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver until the block ends; then close all connections."""
        async with self._acceptance_reporter.running():
            try:
                yield
            finally:
                await self.lanes.close()
                self._resolver.close()

    def stop(self) -> None:
        """Begin no more transactions: what has not begun goes back to the queue."""
        self._stopping = True
        self.lanes.sweep()

    def begin(self, claimed: Claimed) -> None:
        """Work on a message until it is settled."""
        span = begin_span(
            "relay",
            "relay.attempt",
            claimed.traceparent,
            {"emta.attempt": claimed.failed_attempts + 1, "emta.domain": claimed.domain},
        )
        attempt = Attempt(claimed, span)
        self.in_flight.add(attempt)
        if claimed.crashes > 1:
            self._suspects.add(attempt)
        self.octets_in_flight += len(claimed.content)
        if self._stopping:
            # Claimed while the stop began.
            self._settler.put_back(attempt, self._clock.now_ms())
        elif claimed.damaged or claimed.crashes >= _OWNER_CRASHES:
            self._give_up(attempt, FailureCause.FAILURE_CAUSE_INTERNAL)
        elif claimed.reply is not None and claimed.qualification is None:
            self._qualify.add(attempt, alone=claimed.hold == _BOUNCE_AWAY)
        elif self._clock.now_ms() >= claimed.deadline_ms:
            self._expire(attempt)
        elif (route := self._resolver.known(claimed.domain)) is not None:
            self._routed(attempt, route)
        else:
            self._look_up(attempt)

    # Route

    def _look_up(self, attempt: Attempt) -> None:
        domain = attempt.claimed.domain
        waiting = self._resolving.get(domain)
        if waiting is not None:
            waiting.append(attempt)
            return
        self._resolving[domain] = [attempt]
        task = asyncio.create_task(self._resolve(domain))
        self._lookups.add(task)
        task.add_done_callback(self._lookups.discard)

    async def _resolve(self, domain: str) -> None:
        try:
            route = await self._resolver.route(domain)
        except AttemptFailed as failed:
            for attempt in self._resolving.pop(domain):
                self._refused(attempt, failed.reply)
        else:
            for attempt in self._resolving.pop(domain):
                self._routed(attempt, route)

    def _routed(self, attempt: Attempt, route: Route) -> None:
        attempt.route = route
        if self.lanes.is_full(route):
            # Its domain is another one than those that fill the site; it would only stand in the way.
            now_ms = self._clock.now_ms()
            self._settler.put_back(attempt, min(now_ms + _FULL_SITE_MS, attempt.claimed.deadline_ms))
            return
        # The last call about it was answered by nobody: perhaps because of it.
        self._sign.add(attempt, alone=attempt.claimed.hold == _SIGNER_AWAY)

    # Sign

    def _signed(self, attempt: Attempt, result: SignResult) -> None:
        claimed, signature = attempt.claimed, result.signature_header
        if result.WhichOneof("result") == "error":
            problem = Problem.from_status(result.error)
            if problem.reason != "NO_KEY" or self._settings.without_key != "unsigned":
                self._not_signed(attempt, problem)
                return
        attempt.transaction = Transaction(
            mail_from=claimed.message.mail_from,
            rcpt_to=claimed.message.rcpt_to,
            signature=signature,
            content=claimed.content,
            needs_8bitmime=claimed.needs_8bitmime,
            needs_smtputf8=claimed.needs_smtputf8,
        )
        self.lanes.add(attempt)

    def _not_signed(self, attempt: Attempt, problem: Problem) -> None:
        if problem.code.name != "INVALID_ARGUMENT" and problem.reason != "NO_KEY":
            self._hold(attempt, _SIGNER_AWAY)
        elif problem.reason != "NO_KEY":
            _log.error("unsignable", message=attempt.claimed.message.message_id, reason=problem.reason)
            self._give_up(attempt, FailureCause.FAILURE_CAUSE_INTERNAL)
        elif self._settings.without_key == "refuse":
            self._give_up(attempt, FailureCause.FAILURE_CAUSE_NO_KEY)
        else:
            self._hold(attempt, HoldCause.HOLD_CAUSE_NO_KEY)

    # Send

    def _may_begin(self, attempt: Attempt) -> bool:
        """Whether a transaction may begin: neither the validity nor our lease may have ended."""
        claimed, now_ms = attempt.claimed, self._clock.now_ms()
        return not self._stopping and now_ms < claimed.deadline_ms and now_ms < claimed.leased_until_ms

    def _ended(self, attempt: Attempt, result: Result | None) -> None:
        claimed, now_ms = attempt.claimed, self._clock.now_ms()
        match result:
            case Delivered():
                self._acceptances.add(attempt.site, claimed.message.rcpt_to)
                told = outcomes.sent(claimed, now_ms, attempt.traceparent, result, attempt.size)
                self._settler.finish(attempt, told)
            case Refused(reply):
                self._refused(attempt, reply)
            case Unknown():
                self._lost_after_dot(attempt, result, now_ms)
            case None if now_ms >= claimed.deadline_ms:
                self._expire(attempt)
            case None:
                # Should it be another Relay's by now, the fence keeps us out.
                self._settler.put_back(attempt, now_ms)

    def _lost_after_dot(self, attempt: Attempt, result: Unknown, now_ms: int) -> None:
        claimed = attempt.claimed
        if self._settings.unknown_result == "presume":
            told = outcomes.sent(claimed, now_ms, attempt.traceparent, None, attempt.size)
            self._settler.finish(attempt, told)
            return
        claimed.reply, claimed.qualification = result.reply, outcomes.LOST_AFTER_DOT
        claimed.failed_attempts += 1
        next_ms = self._next_ms(claimed, outcomes.LOST_AFTER_DOT, now_ms) or claimed.deadline_ms
        told = outcomes.unknown_result(claimed, now_ms, attempt.traceparent, result, next_ms)
        self._settler.put_back(attempt, next_ms, (told,))

    # Qualify

    def _refused(self, attempt: Attempt, reply: SmtpReply) -> None:
        """Have the reply qualified; while Bounce is away it is kept, and nobody guesses."""
        if not reply.recipient_domain:
            # A connection that could not be opened is the same for all domains of its route.
            reply = _about(reply, attempt.claimed.domain)
        attempt.claimed.reply, attempt.claimed.qualification = reply, None
        self._qualify.add(attempt)

    def _qualify_item(self, attempt: Attempt) -> QualifyRepliesItem:
        reply, site = attempt.claimed.reply, attempt.site
        if not site and reply is not None and reply.mx_host:
            # Kept while Bounce was away; its route may be another one by now.
            site = self._limits.rules.site(reply.mx_host).name
        return QualifyRepliesItem(
            reply=reply,
            traceparent=attempt.traceparent,
            site=site,
            recipient_key=self._acceptances.key(site, attempt.claimed.message.rcpt_to) if site else 0,
        )

    def _qualified(self, attempt: Attempt, result: QualifyRepliesResult) -> None:
        if result.WhichOneof("result") == "error":
            _log.error("unqualifiable", reason=Problem.from_status(result.error).reason)
            self._hold(attempt, _BOUNCE_AWAY)
            return
        claimed, now_ms = attempt.claimed, self._clock.now_ms()
        claimed.qualification = result.qualification
        claimed.failed_attempts += 1
        claimed.hold, claimed.peer_crashes = HoldCause.HOLD_CAUSE_UNSPECIFIED, 0
        next_ms = self._next_ms(claimed, result.qualification, now_ms)
        if next_ms is None:
            self._settler.finish(attempt, outcomes.refused(claimed, now_ms, attempt.traceparent))
        else:
            told = outcomes.deferral(claimed, now_ms, attempt.traceparent, next_ms)
            self._settler.put_back(attempt, next_ms, (told,))

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

    # Hold, expire, give up

    def _hold(self, attempt: Attempt, cause: HoldCause) -> None:
        """Wait without an attempt counted; Feedback is told once per cause."""
        claimed, now_ms = attempt.claimed, self._clock.now_ms()
        if now_ms >= claimed.deadline_ms:
            self._expire(attempt)
            return
        next_ms = min(now_ms + round(self._settings.hold_seconds * 1000), claimed.deadline_ms)
        told: tuple[RecordOutcomesItem, ...] = ()
        if claimed.hold != cause:
            claimed.hold = cause
            told = (outcomes.hold(claimed, now_ms, attempt.traceparent, cause, next_ms),)
        self._settler.put_back(attempt, next_ms, told)

    def _peer_died(self, attempt: Attempt, cause: HoldCause) -> None:
        attempt.claimed.peer_crashes += 1
        if attempt.claimed.peer_crashes >= _PEER_CRASHES:
            _log.error("poison", message=attempt.claimed.message.message_id, cause=HoldCause.Name(cause))
            self._give_up(attempt, FailureCause.FAILURE_CAUSE_INTERNAL)
        else:
            self._hold(attempt, cause)

    def _expire(self, attempt: Attempt) -> None:
        told = outcomes.expired(attempt.claimed, self._clock.now_ms(), attempt.traceparent)
        self._settler.finish(attempt, told)

    def _give_up(self, attempt: Attempt, cause: FailureCause) -> None:
        told = outcomes.given_up(attempt.claimed, self._clock.now_ms(), attempt.traceparent, cause)
        self._settler.finish(attempt, told)

    def _leave(self, attempt: Attempt, due_ms: int | None = None) -> None:
        """Out of our hands: settled, or abandoned; then its lease runs out as if we had died."""
        if attempt not in self.in_flight:
            return
        attempt.span.end()
        self.in_flight.discard(attempt)
        self._suspects.discard(attempt)
        self.octets_in_flight -= len(attempt.claimed.content)
        self._settled(due_ms)


def _sign_item(attempt: Attempt) -> SignItem:
    claimed = attempt.claimed
    identity = claimed.message.dkim_identity
    header = header_block(claimed.content)
    return SignItem(
        header_and_body_hash=HeaderAndBodyHash(header_block=header, body_sha256=claimed.body_sha256),
        domain=identity.domain,
        selector=identity.selector,
        traceparent=attempt.traceparent,
        tenant=claimed.tenant,
    )


def _about(reply: SmtpReply, domain: str) -> SmtpReply:
    own = SmtpReply(recipient_domain=domain)
    own.MergeFrom(reply)
    return own
