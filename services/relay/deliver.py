"""Attempts: find the route, sign, send, qualify, settle. What others do for it goes in batches."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from emta.bounce.v1.bounce_service_pb2 import QualifyRepliesItem, QualifyRepliesResult
from emta.bounce.v1.smtp_reply_pb2 import SmtpReply
from emta.feedback.v1.outcome_pb2 import HoldCause
from emta.problems import Problem
from emta.signer.v1.signer_service_pb2 import HeaderAndBodyHash, SignItem, SignResult
from emta.signing import header_block
from services.chassis.clock import Clock
from services.chassis.logs import Log
from services.chassis.telemetry import begin_span
from services.relay.acceptance_reporter import AcceptanceReporter
from services.relay.acceptances import Acceptances
from services.relay.attempt import Attempt
from services.relay.connector import Connector
from services.relay.delivery_agent import DeliveryAgent
from services.relay.lanes import Lanes
from services.relay.limits import Limits
from services.relay.mx import MxResolver, Route
from services.relay.peers import Peers
from services.relay.replies import about
from services.relay.router import Router
from services.relay.settings import RelaySettings
from services.relay.settlements import BOUNCE_AWAY, SIGNER_AWAY, Settlements, is_suspected, suspect
from services.relay.settler import Settler
from services.relay.stage import Stage
from services.relay.store.queue import Queue
from services.relay.store.record import Claimed
from services.relay.transaction import Delivered, Refused, Result, Transaction, Unknown

_log = Log("relay")

# As long as one call may take (EMTA_RELAY_STORE_TIMEOUT_SECONDS); who stops has waited for all else before.
_GIVE_BACK_SECONDS = 2.0


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
        signed: Callable[[], None],
        settled: Callable[[int | None], None],
    ) -> None:
        self._clock = clock
        self._limits = limits
        self._acceptances = acceptances
        self._acceptance_reporter = AcceptanceReporter(acceptances, peers)
        self._settlements = Settlements(settings)
        self._settled = settled  # told whenever a message was, and when it is due again (ms; None: never)
        self._settler = Settler(queue, self._leave)
        self._stopping = False
        self._suspects: set[Attempt] = set()
        self.in_flight: set[Attempt] = set()
        self.octets_in_flight = 0
        self.lanes = Lanes(
            limits,
            clock,
            connections=settings.connections_per_site,
            work=lambda lane: DeliveryAgent(lane, connector, limits, clock, settings.idle_seconds).run(),
            may_begin=self._may_begin,
            ended=self._ended,
            put_off=self._put_off,
            abandoned=self._abandoned,
        )
        self._router = Router(resolver, routed=self._routed, failed=self._refused, dropped=self._leave)
        self._sign: Stage[Attempt, SignItem, SignResult] = Stage(
            item=_sign_item,
            weigh=lambda attempt: attempt.header_octets,
            call=peers.sign,
            serves=peers.signer_serves,
            answered=self._signed,
            away=lambda attempt: self._hold(attempt, SIGNER_AWAY),
            suspect=suspect,
            suspected=is_suspected,
            died=lambda attempt: self._peer_died(attempt, SIGNER_AWAY),
            dropped=self._leave,
            eased=signed,
        )
        self._qualify: Stage[Attempt, QualifyRepliesItem, QualifyRepliesResult] = Stage(
            item=self._qualify_item,
            weigh=lambda attempt: 1024,
            call=self._acceptance_reporter.qualify,
            serves=peers.bounce_serves,
            answered=self._qualified,
            away=lambda attempt: self._hold(attempt, BOUNCE_AWAY),
            suspect=suspect,
            suspected=is_suspected,
            died=lambda attempt: self._peer_died(attempt, BOUNCE_AWAY),
            dropped=self._leave,
        )

    @property
    def unsigned(self) -> int:
        """Messages that the Signer has been asked about, and has not answered."""
        return self._sign.waiting

    def records(self, shard: int) -> bool:
        """Whether the store takes what becomes of messages of a shard."""
        return self._settler.writes(shard)

    @property
    def has_suspect(self) -> bool:
        """Whether a message is at hand whose owners died more than once."""
        return bool(self._suspects)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver until the block ends; then close all connections, and give back what is still at hand."""
        async with self._acceptance_reporter.running():
            try:
                yield
            finally:
                await self.lanes.close()
                self._router.close()
                await self._settler.finish(_GIVE_BACK_SECONDS)

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
        self.lanes.expect(attempt)
        if claimed.crashes > 1:
            self._suspects.add(attempt)
        self.octets_in_flight += len(claimed.content)
        now_ms = self._clock.now_ms()
        if self._stopping:
            # Claimed while the stop began.
            self._settler.settle(attempt, self._settlements.released(attempt, now_ms))
        elif (settlement := self._settlements.set_aside(attempt, now_ms)) is not None:
            self._settler.settle(attempt, settlement)
        elif claimed.reply is not None and claimed.qualification is None:
            self._qualify.add(attempt, doubted=claimed.hold == BOUNCE_AWAY)
        elif now_ms >= claimed.deadline_ms:
            self._settler.settle(attempt, self._settlements.expired(attempt, now_ms))
        else:
            self._router.add(attempt)

    # Route

    def _routed(self, attempt: Attempt, route: Route) -> None:
        attempt.route = route
        if self.lanes.enter(attempt):
            # The last call about it was answered by nobody: perhaps because of it.
            self._sign.add(attempt, doubted=attempt.claimed.hold == SIGNER_AWAY)

    # Sign

    def _signed(self, attempt: Attempt, result: SignResult) -> None:
        claimed, signature = attempt.claimed, result.signature_header
        if result.WhichOneof("result") == "error":
            problem = Problem.from_status(result.error)
            settlement = self._settlements.not_signed(attempt, problem, self._clock.now_ms())
            if settlement is not None:
                self._settler.settle(attempt, settlement)
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

    # Send

    def _may_begin(self, attempt: Attempt) -> bool:
        """Whether a transaction may begin: neither the validity nor our lease may have ended, and what
        comes of it can be written down."""
        claimed, now_ms = attempt.claimed, self._clock.now_ms()
        return (
            not self._stopping
            and now_ms < claimed.deadline_ms
            and now_ms < claimed.leased_until_ms
            and self.records(claimed.shard)
        )

    def _ended(self, attempt: Attempt, result: Result | None) -> None:
        now_ms = self._clock.now_ms()
        match result:
            case Delivered():
                self._acceptances.add(attempt.site, attempt.claimed.message.rcpt_to)
                settlement = self._settlements.delivered(attempt, result, now_ms)
            case Refused(reply):
                self._refused(attempt, reply)
                return
            case Unknown():
                settlement = self._settlements.lost_after_dot(attempt, result, now_ms)
            case None:
                settlement = self._settlements.not_begun(attempt, now_ms)
        self._settler.settle(attempt, settlement)

    def _abandoned(self, attempt: Attempt) -> None:
        if self._stopping:
            # We closed the connection. Were the lease to run out, it would look as if we had died of it.
            settlement = self._settlements.released(attempt, self._clock.now_ms())
            self._settler.settle(attempt, settlement)
        else:
            self._leave(attempt)

    # Qualify

    def _refused(self, attempt: Attempt, reply: SmtpReply) -> None:
        """Have the reply qualified; while Bounce is away it is kept, and nobody guesses."""
        if not reply.recipient_domain:
            # A connection that could not be opened is the same for all domains of its route.
            reply = about(reply, attempt.claimed.domain)
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
            self._hold(attempt, BOUNCE_AWAY)
            return
        now_ms = self._clock.now_ms()
        self._settler.settle(attempt, self._settlements.refused(attempt, result.qualification, now_ms))

    # End

    def _put_off(self, attempt: Attempt, due_ms: int) -> None:
        self._settler.settle(attempt, self._settlements.no_room(attempt, due_ms))

    def _hold(self, attempt: Attempt, cause: HoldCause) -> None:
        self._settler.settle(attempt, self._settlements.held(attempt, cause, self._clock.now_ms()))

    def _peer_died(self, attempt: Attempt, cause: HoldCause) -> None:
        self._settler.settle(attempt, self._settlements.peer_died(attempt, cause, self._clock.now_ms()))

    def _leave(self, attempt: Attempt, due_ms: int | None = None) -> None:
        """Out of our hands: settled, or abandoned; then its lease runs out as if we had died."""
        if attempt not in self.in_flight:
            return
        attempt.span.end()
        self.in_flight.discard(attempt)
        self._suspects.discard(attempt)
        self.octets_in_flight -= len(attempt.claimed.content)
        self.lanes.left(attempt)
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
