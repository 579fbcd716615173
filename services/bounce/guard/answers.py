"""What a batch tells of sites: whom they accepted and refused, and what refusals mean while they err."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from emta.bounce.v1.acceptance_service_pb2 import SiteAcceptances
from emta.bounce.v1.bounce_service_pb2 import QualifyRepliesRequest
from emta.bounce.v1.incident_service_pb2 import IncidentSample
from emta.bounce.v1.qualification_pb2 import (
    BounceCode,
    Cause,
    Disposition,
    FailureReason,
    FailureType,
    Qualification,
    Scope,
)
from emta.bounce.v1.smtp_reply_pb2 import SmtpPhase
from emta.terms import CAMPAIGN_REASON
from services.bounce.store.guard import Answers, Refusal

# Most refusals of a moment are a few.
_SAMPLES, _LONGEST_SAMPLE = 1_024, 300
_HARD = FailureType.FAILURE_TYPE_HARD
_UNREACHABLE = FailureReason.FAILURE_REASON_UNREACHABLE


def accepted_by(acceptances: Iterable[SiteAcceptances]) -> dict[str, Answers]:
    """Give whom sites accepted."""
    answers: dict[str, Answers] = {}
    for told in acceptances:
        of_site = answers.setdefault(told.site, Answers())
        of_site.accepted += told.recipient_keys
        of_site.untold += told.untold
    return answers


def answers_of(
    request: QualifyRepliesRequest, meanings: Sequence[Qualification | None]
) -> tuple[dict[str, Answers], dict[str, list[int]]]:
    """Give what sites answered about recipients, and the places of refusals for good by site."""
    answers = accepted_by(request.acceptances)
    refused: dict[str, list[int]] = {}
    for place, (item, meaning) in enumerate(zip(request.items, meanings, strict=True)):
        # Before RCPT nothing was said about a recipient.
        if meaning is None or not item.site or item.reply.phase < SmtpPhase.SMTP_PHASE_RCPT:
            continue
        of_site = answers.setdefault(item.site, Answers())
        if meaning.type == _HARD:
            sample = _sample(
                meaning.normalized_text, item.reply.mx_host, meaning.reason, meaning.bounce_code
            )
            of_site.refusals.append(Refusal(item.recipient_key, meaning.reason, sample))
            refused.setdefault(item.site, []).append(place)
        elif item.recipient_key:
            of_site.others.append(item.recipient_key)
    return answers, refused


def held_by(
    refused: dict[str, list[int]],
    meanings: Sequence[Qualification | None],
    holds: Mapping[str, str],
) -> dict[int, Qualification]:
    """Give what refusals for good mean where an incident is open: a site that errs is believed in none."""
    held = {}
    for site, places in refused.items():
        if not (incident_id := holds.get(site)):
            continue
        for place in places:
            meaning = meanings[place]
            if meaning is not None:
                held[place] = _as_held(meaning, incident_id)
    return held


@lru_cache(_SAMPLES)
def _sample(normalized_text: str, mx_host: str, reason: FailureReason, code: BounceCode) -> bytes:
    return IncidentSample(
        normalized_text=normalized_text[:_LONGEST_SAMPLE],
        mx_host=mx_host[:_LONGEST_SAMPLE],
        reason=reason,
        bounce_code=code,
    ).SerializeToString()


def _as_held(meaning: Qualification, incident_id: str) -> Qualification:
    """Give what a refusal means while its incident is open: the site's fault, and retried slowly."""
    held = Qualification()
    held.CopyFrom(meaning)
    held.incident_id = incident_id
    held.held_reason, held.held_bounce_code = meaning.reason, meaning.bounce_code
    held.type, held.reason = FailureType.FAILURE_TYPE_SOFT, _UNREACHABLE
    held.campaign_reason = CAMPAIGN_REASON[_UNREACHABLE]
    held.bounce_code = BounceCode.BOUNCE_CODE_TRANSIENT_FAILURE
    held.disposition = Disposition.DISPOSITION_RETRY_LATER
    held.cause, held.scope = Cause.CAUSE_BUSY, Scope.SCOPE_SITE
    return held
