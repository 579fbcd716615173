"""RequalifyService's RPCs: proto in, proto out."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from typing import Any

import grpc
from redis.asyncio import Redis

from emta.feedback.v1 import requalify_service_pb2_grpc
from emta.feedback.v1.requalify_service_pb2 import (
    ListRequalificationsRequest,
    ListRequalificationsResponse,
    Requalification,
    RequalifyOutcomesRequest,
    RequalifyOutcomesResponse,
)
from emta.problems import invalid, not_found
from services.chassis import paging
from services.chassis.audit import check_signature
from services.chassis.clock import Clock
from services.chassis.logs import Log
from services.chassis.rpc import tenant_of
from services.chassis.settings import NO_ACKS, Acks
from services.chassis.store import store_problems
from services.feedback import requalifier, requalify_requests
from services.feedback.outcome_filter import OutcomeFilter
from services.feedback.recorder import Recorder
from services.feedback.requalifier import Match, Place, Step
from services.feedback.store.ledger import HOUR_MS, Ledger
from services.feedback.store.requalifications import Requalifications
from services.feedback.watch import Bell

_log = Log("feedback")
_MAX_PAGE = 1_000

_Context = grpc.aio.ServicerContext[Any, Any]


class RequalifyService(requalify_service_pb2_grpc.RequalifyServiceServicer):
    """Corrects the ledgers of one store."""

    def __init__(self, store: Redis, clock: Clock, bell: Bell, acks: Acks = NO_ACKS) -> None:
        self._store = store
        self._clock = clock
        self._bell = bell
        self._acks = acks
        self._recorder = Recorder(store, clock, acks)

    async def RequalifyOutcomes(
        self, request: RequalifyOutcomesRequest, context: _Context
    ) -> AsyncIterator[RequalifyOutcomesResponse]:
        """Find and correct."""
        wanted = OutcomeFilter(request.filter)
        start, name = requalify_requests.decode_place(request.resume_token)
        meaning = requalify_requests.meaning(request)
        tenant = tenant_of(context)
        ledger = Ledger(self._store, tenant, self._acks)
        runs = Requalifications(self._store, tenant)
        with store_problems():
            run = None
            if not request.dry_run:
                check_signature(request.actor, request.comment)
                run = await self._resumed(runs, name, request) if name else self._begun(request)
                run.meaning.CopyFrom(meaning)
                # Who and why is on record before anything changes.
                await runs.write(run)
            async for step in requalifier.find(ledger, wanted, start, self._clock.now_ms()):
                corrected = await self._correct(runs, tenant, run, step)
                response = requalifier.answer(step, corrected, all_matches=request.all_matches)
                yield _named(response, run, step.place)
            if run is not None:
                run.end_time.FromMilliseconds(self._clock.now_ms())
                await runs.write(run)
            last = RequalifyOutcomesResponse(reached_time=request.filter.to_time)
            yield _named(last, run, Place(wanted.to_ms // HOUR_MS + 1, 0))

    def _begun(self, request: RequalifyOutcomesRequest) -> Requalification:
        run = Requalification(
            requalification_id=secrets.token_hex(8),
            actor=request.actor,
            comment=request.comment,
            filter=request.filter,
            allow_resubmit=request.allow_resubmit,
        )
        run.start_time.FromMilliseconds(self._clock.now_ms())
        _log.info("requalification_begun", requalification=run.requalification_id)
        return run

    async def _resumed(
        self, runs: Requalifications, name: str, request: RequalifyOutcomesRequest
    ) -> Requalification:
        run = await runs.read(name)
        if run is None:
            raise not_found("REQUALIFICATION_UNKNOWN", f"there is no requalification {name}")
        if run.filter != request.filter:
            raise invalid("resume_token", "RESUME_TOKEN_INVALID", "resume_token is of another request")
        return run

    async def _correct(
        self, runs: Requalifications, tenant: str, run: Requalification | None, step: Step
    ) -> list[Match]:
        if run is None:
            return []
        corrected = await requalifier.correct(
            self._recorder, tenant, run, step.matches, self._clock.now_ms()
        )
        run.examined += step.examined
        run.corrected += len(corrected)
        if run.allow_resubmit:
            run.resubmittable += sum(match.resubmittable for match in corrected)
        await runs.write(run)
        if corrected:
            self._bell.ring()
        return corrected

    async def ListRequalifications(
        self, request: ListRequalificationsRequest, context: _Context
    ) -> ListRequalificationsResponse:
        """List what was corrected."""
        size = paging.page_size(request.page_size, _MAX_PAGE)
        skip = paging.decode_position(request.page_token)
        runs = Requalifications(self._store, tenant_of(context))
        with store_problems():
            entries = await runs.page(skip, size)
        more = paging.encode_position(skip + size) if len(entries) == size else ""
        return ListRequalificationsResponse(requalifications=entries, next_page_token=more)


def _named(
    response: RequalifyOutcomesResponse, run: Requalification | None, place: Place
) -> RequalifyOutcomesResponse:
    name = run.requalification_id if run is not None else ""
    response.requalification_id = name
    response.resume_token = requalify_requests.encode_place(place, name)
    return response
