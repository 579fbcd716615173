"""What requests of RequalifyService must be."""

from __future__ import annotations

import re

from emta import terms
from emta.bounce.v1.qualification_pb2 import (
    BounceCode,
    Cause,
    Disposition,
    FailureReason,
    FailureType,
    Qualification,
    Scope,
)
from emta.feedback.v1.requalify_service_pb2 import RequalifyOutcomesRequest
from emta.problems import invalid
from services.chassis import paging
from services.feedback.requalifier import Place

RULE_ID = "requalified"
_TOKEN = re.compile(r"1:(\d{1,9}):(\d{1,18}):([0-9a-f]{0,32})")


def meaning(request: RequalifyOutcomesRequest) -> Qualification:
    """Give what the failures mean in truth. Ignored is the only type that moves no address's counter."""
    told = Qualification(
        type=FailureType.FAILURE_TYPE_IGNORED,
        reason=FailureReason.FAILURE_REASON_UNREACHABLE,
        bounce_code=BounceCode.BOUNCE_CODE_TRANSIENT_FAILURE,
        disposition=Disposition.DISPOSITION_RETRY,
        cause=Cause.CAUSE_BUSY,
        scope=Scope.SCOPE_SITE,
    )
    if request.HasField("meaning"):
        given = request.meaning
        _check_meaning(given)
        told = Qualification(type=given.type, reason=given.reason, bounce_code=given.bounce_code)
    told.campaign_reason = terms.CAMPAIGN_REASON[told.reason]
    told.rule_id = RULE_ID
    return told


def _check_meaning(given: Qualification) -> None:
    if (
        not given.type
        or given.type not in FailureType.values()
        or given.reason not in terms.CAMPAIGN_REASON
        or given.bounce_code not in terms.FAILURE_CODES
    ):
        raise invalid(
            "meaning",
            "MEANING_INVALID",
            "meaning needs type, reason and bounce code of a message's failure",
        )
    if not terms.go_together(given.type, given.reason):
        raise invalid(
            "meaning.reason", "MEANING_INVALID", "meaning: this type and this reason do not go together"
        )


def encode_place(place: Place, name: str) -> str:
    """Make a resume token of a place, and of the requalification's name ("": a dry run)."""
    return paging.sealed(f"1:{place.hour}:{place.position}:{name}")


def decode_place(token: str) -> tuple[Place, str]:
    """Read a resume token; empty: the beginning."""
    if not token:
        return Place(0, 0), ""
    parts = _TOKEN.fullmatch(paging.unsealed(token))
    if parts is None:
        raise paging.not_given_out("resume_token", "RESUME_TOKEN_INVALID")
    return Place(int(parts[1]), int(parts[2])), parts[3]
