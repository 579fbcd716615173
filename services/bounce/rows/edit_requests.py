"""What requests of QualificationsService must be."""

from __future__ import annotations

import re

from emta.bounce.v1.qualification_pb2 import Disposition, FailureReason, FailureType
from emta.bounce.v1.qualifications_service_pb2 import (
    ListQualificationsRequest,
    QualificationEdit,
    QualificationStatus,
    SetQualificationRequest,
)
from emta.problems import invalid
from emta.terms import CAMPAIGN_REASON, go_together
from services.bounce import terms
from services.chassis.audit import MAX_ACTOR, MAX_COMMENT
from services.chassis.paging import page_size

_MD5 = re.compile(r"[0-9a-f]{32}")
_MOST_ROWS = 1_000
_MAX_FILTER = 256
_MAX_PAGE = 500

_ANY = QualificationStatus.QUALIFICATION_STATUS_UNSPECIFIED
_TO_QUALIFY = QualificationStatus.QUALIFICATION_STATUS_TO_QUALIFY
_IGNORE = QualificationStatus.QUALIFICATION_STATUS_IGNORE
_IGNORED = FailureType.FAILURE_TYPE_IGNORED
_ANYTHING, _FINAL = Disposition.DISPOSITION_UNSPECIFIED, Disposition.DISPOSITION_FINAL


def md5(field: str, text: str) -> str:
    """Check the key of a row."""
    if not _MD5.fullmatch(text):
        raise invalid(field, "MD5_INVALID", f"{field} must be 32 lower-case hexadecimal digits")
    return text


def check_set(request: SetQualificationRequest) -> None:
    """Check what an operator says of some rows."""
    if not 1 <= len(request.normalized_md5s) <= _MOST_ROWS:
        raise invalid("normalized_md5s", "MD5_INVALID", f"normalized_md5s needs 1 to {_MOST_ROWS:,} rows")
    if len({md5("normalized_md5s", each) for each in request.normalized_md5s}) != len(
        request.normalized_md5s
    ):
        raise invalid("normalized_md5s", "MD5_INVALID", "normalized_md5s names a row twice")
    _status(request.status)
    has_edit = request.HasField("edit")
    if request.status == _ANY and not request.reset_occurrences:
        raise invalid("status", "STATUS_INVALID", "status is required, but to reset the count")
    if has_edit and request.status in (_ANY, _TO_QUALIFY):
        raise invalid("edit", "STATUS_INVALID", "edit goes with status Keep or Ignore only")
    if has_edit:
        _edit(request.edit, ignored=request.status == _IGNORE)
    if not 1 <= len(request.actor.strip()) <= MAX_ACTOR or len(request.actor) > MAX_ACTOR:
        raise invalid("actor", "ACTOR_INVALID", f"actor must be 1 to {MAX_ACTOR} characters")
    try:
        request.seen_time.ToMilliseconds()
    except ValueError as error:
        raise invalid("seen_time", "TIME_INVALID", f"seen_time: {error}") from None
    if len(request.comment) > MAX_COMMENT:
        raise invalid("comment", "COMMENT_INVALID", f"comment must be at most {MAX_COMMENT:,} characters")


def _edit(edit: QualificationEdit, *, ignored: bool) -> None:
    if ignored and edit.type not in (FailureType.FAILURE_TYPE_UNSPECIFIED, _IGNORED):
        raise invalid("edit.type", "TYPE_INVALID", "the type of a row with status Ignore is Ignored")
    if not ignored and (not edit.type or edit.type not in FailureType.values()):
        raise invalid("edit.type", "TYPE_INVALID", "edit.type is none of the failure types")
    if edit.reason not in CAMPAIGN_REASON and not (ignored and not edit.reason):
        raise invalid("edit.reason", "REASON_INVALID", "edit.reason is none that a message may have")
    if not ignored and not go_together(edit.type, edit.reason):
        raise invalid(
            "edit.reason", "TYPE_REASON_INVALID", "edit: this type and this reason do not go together"
        )
    if ignored and edit.reason == FailureReason.FAILURE_REASON_NOT_DEFINED:
        raise invalid("edit.reason", "TYPE_REASON_INVALID", 'edit: Ignored is never "Not defined"')
    if edit.bounce_code and edit.bounce_code not in terms.MEANINGS:
        raise invalid("edit.bounce_code", "BOUNCE_CODE_INVALID", "edit.bounce_code is none of a failure")
    if edit.disposition not in Disposition.values():
        raise invalid("edit.disposition", "DISPOSITION_INVALID", "edit.disposition is none")
    if edit.type == FailureType.FAILURE_TYPE_HARD and edit.disposition not in (_ANYTHING, _FINAL):
        raise invalid("edit.disposition", "DISPOSITION_INVALID", "edit.disposition: what is Hard is final")


def check_list(request: ListQualificationsRequest) -> int:
    """Check a filter; gives the size of a page."""
    _status(request.status)
    for field, text in (("text", request.text), ("site", request.site)):
        if len(text) > _MAX_FILTER:
            raise invalid(field, "FILTER_INVALID", f"{field} must be at most {_MAX_FILTER} characters")
    return page_size(request.page_size, _MAX_PAGE)


def _status(status: QualificationStatus) -> None:
    if status not in QualificationStatus.values():
        raise invalid("status", "STATUS_INVALID", "status is none of a row's")
