"""What requests of RequalifyService must be."""

from __future__ import annotations

import re

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

# Contract 1.2: Campaign's integers of the reasons that a message may have.
_CAMPAIGN_REASONS = {
    FailureReason.FAILURE_REASON_NOT_DEFINED: 0,
    FailureReason.FAILURE_REASON_USER_UNKNOWN: 1,
    FailureReason.FAILURE_REASON_INVALID_DOMAIN: 2,
    FailureReason.FAILURE_REASON_UNREACHABLE: 3,
    FailureReason.FAILURE_REASON_ACCOUNT_DISABLED: 4,
    FailureReason.FAILURE_REASON_MAILBOX_FULL: 5,
    FailureReason.FAILURE_REASON_REFUSED: 20,
    FailureReason.FAILURE_REASON_ERROR_IGNORED: 25,
}


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
        if (
            given.type not in FailureType.values()
            or given.bounce_code not in BounceCode.values()
            or not (given.type and given.bounce_code and given.reason in _CAMPAIGN_REASONS)
        ):
            raise invalid(
                "meaning", "MEANING_INVALID", "meaning needs type, bounce code, and a reason of messages"
            )
        told = Qualification(type=given.type, reason=given.reason, bounce_code=given.bounce_code)
    told.campaign_reason = _CAMPAIGN_REASONS[told.reason]
    told.rule_id = RULE_ID
    return told


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
