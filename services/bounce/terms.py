"""What bounce codes mean, and what replies make of it (contract 1.2 and 1.3); emta.terms has the rest."""

from __future__ import annotations

from dataclasses import dataclass

from emta.bounce.v1.qualification_pb2 import BounceCode, Disposition, FailureReason, FailureType


@dataclass(frozen=True)
class Meaning:
    """What a bounce code means where no rule says otherwise."""

    type: FailureType
    reason: FailureReason
    disposition: Disposition | None  # None: final on 5xx, retry on 4xx and without a reply


_SOFT, _HARD = FailureType.FAILURE_TYPE_SOFT, FailureType.FAILURE_TYPE_HARD
_IGNORED, _NOT_DEFINED = FailureType.FAILURE_TYPE_IGNORED, FailureType.FAILURE_TYPE_NOT_DEFINED
_UNREACHABLE = FailureReason.FAILURE_REASON_UNREACHABLE
_REFUSED = FailureReason.FAILURE_REASON_REFUSED
_RETRY, _LATER = Disposition.DISPOSITION_RETRY, Disposition.DISPOSITION_RETRY_LATER

# Refusals that are about the sender are Ignored: they never push a good address towards quarantine.
MEANINGS: dict[BounceCode, Meaning] = {
    BounceCode.BOUNCE_CODE_UNDETERMINED: Meaning(
        _NOT_DEFINED, FailureReason.FAILURE_REASON_NOT_DEFINED, None
    ),
    BounceCode.BOUNCE_CODE_INVALID_RECIPIENT: Meaning(
        _HARD, FailureReason.FAILURE_REASON_USER_UNKNOWN, None
    ),
    BounceCode.BOUNCE_CODE_RECIPIENT_REFUSED: Meaning(_IGNORED, _REFUSED, None),
    BounceCode.BOUNCE_CODE_SOFT_BOUNCE: Meaning(_SOFT, _UNREACHABLE, _RETRY),
    BounceCode.BOUNCE_CODE_DNS_FAILURE: Meaning(_SOFT, _UNREACHABLE, _RETRY),
    BounceCode.BOUNCE_CODE_MAILBOX_FULL: Meaning(_SOFT, FailureReason.FAILURE_REASON_MAILBOX_FULL, _LATER),
    BounceCode.BOUNCE_CODE_TOO_LARGE: Meaning(_IGNORED, _REFUSED, None),
    BounceCode.BOUNCE_CODE_TIMEOUT: Meaning(_SOFT, _UNREACHABLE, None),
    BounceCode.BOUNCE_CODE_ADMIN_FAILURE: Meaning(_IGNORED, _REFUSED, Disposition.DISPOSITION_FINAL),
    BounceCode.BOUNCE_CODE_GENERIC_NO_RCPT: Meaning(_SOFT, _UNREACHABLE, None),
    BounceCode.BOUNCE_CODE_GENERIC: Meaning(_SOFT, _UNREACHABLE, None),
    BounceCode.BOUNCE_CODE_MAIL_BLOCK: Meaning(_IGNORED, _REFUSED, None),
    BounceCode.BOUNCE_CODE_SPAM_BLOCK: Meaning(_IGNORED, _REFUSED, None),
    BounceCode.BOUNCE_CODE_SPAM_CONTENT: Meaning(_IGNORED, _REFUSED, None),
    BounceCode.BOUNCE_CODE_PROHIBITED_ATTACHMENT: Meaning(_IGNORED, _REFUSED, None),
    BounceCode.BOUNCE_CODE_RELAYING_DENIED: Meaning(_IGNORED, _REFUSED, None),
    BounceCode.BOUNCE_CODE_AUTO_REPLY: Meaning(_IGNORED, _UNREACHABLE, None),
    BounceCode.BOUNCE_CODE_TRANSIENT_FAILURE: Meaning(_SOFT, _UNREACHABLE, _RETRY),
    BounceCode.BOUNCE_CODE_CHALLENGE_RESPONSE: Meaning(_IGNORED, _REFUSED, None),
}

# The same words, said for now and for good: a generic bounce that is temporary is a soft one, and a
# transient failure with a permanent code is none that a slower pace would have got through.
CODE_OF_TEMPORARY = {BounceCode.BOUNCE_CODE_GENERIC: BounceCode.BOUNCE_CODE_SOFT_BOUNCE}
CODE_OF_PERMANENT = {BounceCode.BOUNCE_CODE_TRANSIENT_FAILURE: BounceCode.BOUNCE_CODE_SOFT_BOUNCE}


def is_permanent(code: int) -> bool:
    """Whether a reply code, or the class alone (5), is a refusal for good."""
    return str(code).startswith("5")


def type_under(kind: FailureType, permanent: bool) -> FailureType:
    """Give a type as a reply may have it: a temporary one condemns no address (contract decision 2)."""
    return _SOFT if kind == _HARD and not permanent else kind


def disposition_of(code: BounceCode, permanent: bool) -> Disposition:
    """Give what becomes of the message where only its bounce code says so."""
    return MEANINGS[code].disposition or (Disposition.DISPOSITION_FINAL if permanent else _RETRY)
