"""Who asks for what is kept for the record, and why."""

from __future__ import annotations

from emta.problems import invalid

MAX_ACTOR, MAX_COMMENT = 256, 1_000


def check_signature(actor: str, comment: str) -> None:
    """Check that both are given and not too long. Raises Problem ACTOR_INVALID, COMMENT_INVALID."""
    for field, text, longest in (("actor", actor, MAX_ACTOR), ("comment", comment, MAX_COMMENT)):
        if not 1 <= len(text.strip()) <= longest:
            raise invalid(field, f"{field.upper()}_INVALID", f"{field} must be 1 to {longest} characters")
