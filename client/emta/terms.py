"""Campaign's terms in numbers, and which of them go together (contract 1.2 and 1.3)."""

from __future__ import annotations

from emta.bounce.v1.qualification_pb2 import BounceCode, FailureReason, FailureType

_HARD, _IGNORED = FailureType.FAILURE_TYPE_HARD, FailureType.FAILURE_TYPE_IGNORED
_NOT_DEFINED = FailureType.FAILURE_TYPE_NOT_DEFINED

# Campaign's integers. Reasons that only its preparation gives have no place in a reply's meaning.
CAMPAIGN_REASON: dict[FailureReason, int] = {
    FailureReason.FAILURE_REASON_NOT_DEFINED: 0,
    FailureReason.FAILURE_REASON_USER_UNKNOWN: 1,
    FailureReason.FAILURE_REASON_INVALID_DOMAIN: 2,
    FailureReason.FAILURE_REASON_UNREACHABLE: 3,
    FailureReason.FAILURE_REASON_ACCOUNT_DISABLED: 4,
    FailureReason.FAILURE_REASON_MAILBOX_FULL: 5,
    FailureReason.FAILURE_REASON_REFUSED: 20,
    FailureReason.FAILURE_REASON_ERROR_IGNORED: 25,
}

# Who subscribes or unsubscribes fails at nothing.
FAILURE_CODES = frozenset(BounceCode.values()) - {
    BounceCode.BOUNCE_CODE_UNSPECIFIED,
    BounceCode.BOUNCE_CODE_SUBSCRIBE,
    BounceCode.BOUNCE_CODE_UNSUBSCRIBE,
}

# Contract 1.2, "Allowed type(s)", with decision 2: Refused is about the sender and never Hard. Ignored says
# nothing about the address, so any reason may have it; Soft is what a 4xx makes of Hard.
_HARD_REASONS = {
    FailureReason.FAILURE_REASON_USER_UNKNOWN,
    FailureReason.FAILURE_REASON_UNREACHABLE,
    FailureReason.FAILURE_REASON_ACCOUNT_DISABLED,
}


def go_together(kind: FailureType, reason: FailureReason) -> bool:
    """Whether a failure may have this type and this reason."""
    if kind == _NOT_DEFINED or reason == FailureReason.FAILURE_REASON_NOT_DEFINED:
        return kind == _NOT_DEFINED and reason == FailureReason.FAILURE_REASON_NOT_DEFINED
    if kind == _HARD:
        return reason in _HARD_REASONS
    return kind == _IGNORED or reason != FailureReason.FAILURE_REASON_ERROR_IGNORED
