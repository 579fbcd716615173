"""What a person types for the values of qualification rows."""

from __future__ import annotations

from typing import Any

from emta.bounce.v1.qualification_pb2 import Disposition, FailureReason, FailureType
from emta.bounce.v1.qualifications_service_pb2 import QualificationStatus
from emta.cli import words
from emta.cli.console import bad_input

STATUSES = {
    "to-qualify": QualificationStatus.QUALIFICATION_STATUS_TO_QUALIFY,
    "keep": QualificationStatus.QUALIFICATION_STATUS_KEEP,
    "ignore": QualificationStatus.QUALIFICATION_STATUS_IGNORE,
    "all": QualificationStatus.QUALIFICATION_STATUS_UNSPECIFIED,
}


def _names(enum: Any, prefix: str, without: tuple[int, ...] = (0,)) -> dict[str, int]:
    """What a person types for the values of an enum: FAILURE_REASON_USER_UNKNOWN is "user-unknown"."""
    return {
        name.removeprefix(prefix).lower().replace("_", "-"): value
        for name, value in enum.items()
        if value not in without
    }


TYPES = _names(FailureType, "FAILURE_TYPE_")
REASONS = _names(FailureReason, "FAILURE_REASON_", (0, FailureReason.FAILURE_REASON_DENYLISTED))
DISPOSITIONS = _names(Disposition, "DISPOSITION_")


def value_of(option: str, name: str, known: dict[str, Any]) -> Any:
    """Give what a word stands for, 0 for none; a word that nobody knows is bad input."""
    name = name.lower().replace(" ", "-").replace("_", "-")
    if name and name not in known:
        bad_input(f"{option} {name}: one of {', '.join(known)}")
    return known.get(name, 0)


def reason_of(name: str) -> Any:
    """Give the reason that a word or Campaign's number stands for."""
    return value_of("--reason", words.REASON_BY_NUMBER.get(name, name), REASONS)
