"""The outage guard: counts what sites answer, opens and closes incidents, holds what they cover."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from redis.exceptions import RedisError

from emta.bounce.v1.acceptance_service_pb2 import SiteAcceptances
from emta.bounce.v1.bounce_service_pb2 import QualifyRepliesRequest
from emta.bounce.v1.incident_service_pb2 import Incident, IncidentEnd
from emta.bounce.v1.qualification_pb2 import FailureReason, Qualification
from services.bounce.guard import outage
from services.bounce.guard.answers import accepted_by, answers_of, held_by
from services.bounce.guard.outage import Verdict
from services.bounce.settings import BounceSettings
from services.bounce.store.guard import (
    Answers,
    GuardStore,
    Refusal,
    SiteState,
    known_addresses,
)
from services.chassis.background import beside
from services.chassis.clock import Clock
from services.chassis.logs import Log

_log = Log("bounce")

# So long the store is not asked again after it did not answer: one batch waits, the next ones do not.
_AWAY_SECONDS = 2.0
_LOOK_MS = 15_000
_SAMPLES_TOLD = 3  # in the log: what the site says, the rest is to be had by `emta incidents show`
# Policy: accounts that are closed in truth show as each is written to; a newsletter takes a week.
_BELIEVED_MS = 7 * 86_400_000

_ENDS = {
    Verdict.RECOVERED: IncidentEnd.INCIDENT_END_RECOVERED,
    Verdict.TIME: IncidentEnd.INCIDENT_END_TIME,
    Verdict.BELIEVED: IncidentEnd.INCIDENT_END_BELIEVED,
}
_IS_BELIEVED = (IncidentEnd.INCIDENT_END_BELIEVED, IncidentEnd.INCIDENT_END_REAL)


class Guard:
    """Guards against the errors of sites. All Bounces of one store act as one.

    While the store is away or slow, refusals mean what they say, but at sites whose incidents are known.
    """

    def __init__(self, store: GuardStore, clock: Clock, settings: BounceSettings) -> None:
        self._store = store
        self._clock = clock
        self._on = settings.guard
        self._patience_seconds = settings.store_timeout_seconds
        self._hold_ms = round(settings.guard_hold_seconds * 1000)
        self._longest_ms = round(settings.guard_longest_seconds * 1000)
        self._holds: dict[str, str] = {}  # open incidents by site, as last heard
        self._away_until = 0.0  # monotonic, seconds

    async def held(
        self, request: QualifyRepliesRequest, meanings: Sequence[Qualification | None]
    ) -> dict[int, Qualification]:
        """Count a batch; gives what held items mean, by their place. Meaning None: the item is an error.

        A batch that is `uncounted` is held by the incidents that are known.
        """
        if not self._on:
            return {}
        answers, refused = answers_of(request, meanings)
        holds: Mapping[str, str] = self._holds
        if answers and not request.uncounted and time.monotonic() >= self._away_until:
            try:
                async with asyncio.timeout(self._patience_seconds):
                    holds = await self._counted(answers)
            except (RedisError, TimeoutError) as error:
                self._away_until = time.monotonic() + _AWAY_SECONDS
                _log.warning("guard_away", error=type(error).__name__)
        return held_by(refused, meanings, holds)

    async def accepted(self, acceptances: Iterable[SiteAcceptances]) -> None:
        """Remember who was accepted. Raises RedisError."""
        answers = accepted_by(acceptances)
        if self._on and answers:
            await self._store.count(answers, self._clock.now_ms())

    async def close(
        self, incident: Incident, end: IncidentEnd, *, actor: str = "", comment: str = ""
    ) -> bool:
        """Close an incident; False: it was closed before. Raises RedisError."""
        now_ms = self._clock.now_ms()
        incident.end, incident.actor, incident.comment = end, actor, comment
        incident.close_time.FromMilliseconds(now_ms)
        believed_until_ms = now_ms + _BELIEVED_MS if end in _IS_BELIEVED else 0
        if not await self._store.change(incident, believed_until_ms):
            return False
        self._holds.pop(incident.site, None)
        _log.info("incident_closed", end=IncidentEnd.Name(end), **_told(incident))
        return True

    def watching(self) -> AbstractAsyncContextManager[None]:
        """Extend and close incidents when their time has come, until the block ends."""
        return beside(self._watch, _log)

    async def _watch(self) -> None:
        while self._on:
            try:
                await self._look()
            except RedisError as error:
                _log.warning("guard_away", error=type(error).__name__)
            await self._clock.sleep_until(self._clock.now_ms() + _LOOK_MS)

    async def _look(self) -> None:
        """Judge all open incidents, and learn which there are."""
        now_ms = self._clock.now_ms()
        holds: dict[str, str] = {}
        for incident, watched in await self._store.incidents(await self._store.open_ids(), now_ms):
            if watched is None:
                continue
            verdict = outage.verdict(watched, now_ms)
            if verdict in _ENDS:
                await self.close(incident, _ENDS[verdict])
                continue
            holds[incident.site] = incident.incident_id
            if verdict is Verdict.EXTENDED:
                incident.hold_until_time.FromMilliseconds(
                    min(now_ms + self._hold_ms, watched.latest_end_ms)
                )
                if await self._store.change(incident):
                    _log.warning("incident_extended", **_told(incident))
        self._holds = holds

    async def _counted(self, answers: dict[str, Answers]) -> dict[str, str]:
        """Count what sites answered; gives their open incidents, those opened now, too. "": none."""
        now_ms = self._clock.now_ms()
        holds: dict[str, str] = {}
        for site, state in (await self._store.count(answers, now_ms)).items():
            incident_id = state.incident_id
            refusals = answers[site].refusals
            if not incident_id and refusals and now_ms >= state.believed_until_ms:
                incident_id = await self._opened(site, state, refusals)
            holds[site] = incident_id
            if incident_id:
                self._holds[site] = incident_id
        return holds

    async def _opened(self, site: str, state: SiteState, refusals: Sequence[Refusal]) -> str:
        """Open an incident, if it is time to; gives the one that is open then, "" where none is."""
        reasons = outage.suspicious(state.evidence)
        if not reasons:
            return ""
        now_ms = self._clock.now_ms()
        incident = Incident(
            incident_id=f"inc-{secrets.token_hex(4)}",
            site=site,
            reasons=sorted(reasons),
            usual=known_addresses(state.evidence.usual),
            opening=known_addresses(state.evidence.stretch),
            unknown_hard=state.unknown_hard,
            held=len(refusals),
            samples=await self._store.samples(site),
        )
        incident.begin_time.FromMilliseconds(state.begun_ms)
        incident.open_time.FromMilliseconds(now_ms)
        incident.hold_until_time.FromMilliseconds(now_ms + min(self._hold_ms, self._longest_ms))
        incident.latest_end_time.FromMilliseconds(now_ms + self._longest_ms)
        open_id = await self._store.open(incident, now_ms)
        if open_id == incident.incident_id:
            texts = dict.fromkeys(sample.normalized_text for sample in incident.samples)
            _log.error("incident_opened", samples=list(texts)[:_SAMPLES_TOLD], **_told(incident))
        return open_id


def _told(incident: Incident) -> dict[str, Any]:
    """Fields of an event of the log."""
    return {
        "incident": incident.incident_id,
        "site": incident.site,
        "reasons": [FailureReason.Name(reason) for reason in incident.reasons],
        "known_hard": incident.opening.hard,
        "known_accepted": incident.opening.accepted,
        "usual_hard": incident.usual.hard,
        "usual_accepted": incident.usual.accepted,
        "held": incident.held,
    }
