"""What a reporter says when nobody answered it: its own trouble on the way, as kinds of failure."""

from __future__ import annotations

from emta.bounce.v1.smtp_reply_pb2 import FailureKind
from services.bounce.inbound.words import Pattern, names, words

_KINDS: dict[FailureKind, Pattern] = {
    getattr(FailureKind, f"FAILURE_KIND_{name.upper()}"): words("failure", name)
    for name in names("failure")
}


def failure_in(text: str) -> FailureKind:
    """Say what kept the reporter from getting an answer; FAILURE_KIND_UNSPECIFIED where it does not say."""
    found = (kind for kind, pattern in _KINDS.items() if pattern.search(text))
    return next(found, FailureKind.FAILURE_KIND_UNSPECIFIED)
