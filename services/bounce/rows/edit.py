"""What an operator says of a text, and what its replies mean then (contract 5.1)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from emta.bounce.v1.qualification_pb2 import (
    BounceCode,
    Disposition,
    FailureReason,
    FailureType,
    Qualification,
)
from emta.bounce.v1.qualifications_service_pb2 import QualificationEdit, QualificationStatus
from emta.terms import CAMPAIGN_REASON
from services.bounce import terms

Edits = Mapping[str, QualificationEdit]  # by MD5: what decides in place of the rules
NONE: Edits = {}

_FINAL = Disposition.DISPOSITION_FINAL
_HARD, _IGNORED = FailureType.FAILURE_TYPE_HARD, FailureType.FAILURE_TYPE_IGNORED
_NOT_DEFINED = FailureReason.FAILURE_REASON_NOT_DEFINED
_ERROR_IGNORED = FailureReason.FAILURE_REASON_ERROR_IGNORED

# The code that stands for a reason, where the operator names none. "Error ignored" has none of its own:
# what the receiver did stays what it was.
_CODES: dict[FailureReason, BounceCode] = {
    FailureReason.FAILURE_REASON_NOT_DEFINED: BounceCode.BOUNCE_CODE_UNDETERMINED,
    FailureReason.FAILURE_REASON_USER_UNKNOWN: BounceCode.BOUNCE_CODE_INVALID_RECIPIENT,
    FailureReason.FAILURE_REASON_INVALID_DOMAIN: BounceCode.BOUNCE_CODE_DNS_FAILURE,
    FailureReason.FAILURE_REASON_UNREACHABLE: BounceCode.BOUNCE_CODE_GENERIC,
    FailureReason.FAILURE_REASON_ACCOUNT_DISABLED: BounceCode.BOUNCE_CODE_INVALID_RECIPIENT,
    FailureReason.FAILURE_REASON_MAILBOX_FULL: BounceCode.BOUNCE_CODE_MAILBOX_FULL,
    FailureReason.FAILURE_REASON_REFUSED: BounceCode.BOUNCE_CODE_MAIL_BLOCK,
}


def deciding(status: QualificationStatus, edit: QualificationEdit | None) -> QualificationEdit | None:
    """Give what decides in place of the rules for a row; None: they do."""
    if status == QualificationStatus.QUALIFICATION_STATUS_IGNORE:
        decides = QualificationEdit()
        decides.CopyFrom(edit or decides)
        decides.type = _IGNORED
        return decides
    if status == QualificationStatus.QUALIFICATION_STATUS_KEEP and edit is not None and edit.type:
        return edit
    return None


def in_force(md5: str, edit: QualificationEdit | None, by_rules: Qualification, code: int) -> Qualification:
    """Give what a text means: what the rules say (the same object), or what the operator says.

    Cause and scope stay the rules': what they are about, the pace of sending, is not a row's to say.
    """
    if edit is None:
        return by_rules
    permanent = terms.is_permanent(code)
    meaning = Qualification()
    meaning.CopyFrom(by_rules)
    meaning.type = terms.type_under(edit.type, permanent)
    meaning.reason = edit.reason or by_rules.reason
    if meaning.type == _IGNORED and meaning.reason == _NOT_DEFINED:
        meaning.reason = _ERROR_IGNORED
    meaning.campaign_reason = CAMPAIGN_REASON[meaning.reason]
    if edit.bounce_code:
        meaning.bounce_code = edit.bounce_code
    elif meaning.reason != by_rules.reason:
        meaning.bounce_code = _CODES.get(meaning.reason, by_rules.bounce_code)
    meaning.disposition = _disposition(edit, meaning, by_rules, permanent)
    if meaning.disposition == _FINAL:
        meaning.ClearField("wait_hint")
    meaning.rule_id = f"row:{md5}"
    return meaning


def _disposition(
    edit: QualificationEdit, meaning: Qualification, by_rules: Qualification, permanent: bool
) -> Disposition:
    if edit.disposition:
        return edit.disposition
    if meaning.type == _HARD:
        return _FINAL
    if meaning.bounce_code == by_rules.bounce_code:
        return by_rules.disposition
    return terms.disposition_of(meaning.bounce_code, permanent)


def version(rules_version: str, edits: Edits) -> str:
    """Give the name of what decides: the rules' own where there are no edits. 16 hexadecimal digits."""
    if not edits:
        return rules_version
    digest = hashlib.sha256(rules_version.encode())
    for md5, edit in sorted(edits.items()):
        digest.update(md5.encode())
        digest.update(edit.SerializeToString(deterministic=True))
    return digest.hexdigest()[:16]
