"""The contract's enums in the words that people use."""

from __future__ import annotations

from emta.bounce.v1.qualification_pb2 import BounceCode, FailureReason, FailureType
from emta.feedback.v1.log_pb2 import LogStatus

STATUS: dict[LogStatus, str] = {
    LogStatus.LOG_STATUS_PENDING: "Pending",
    LogStatus.LOG_STATUS_TAKEN_INTO_ACCOUNT: "Taken into account by the service provider",
    LogStatus.LOG_STATUS_SENT: "Sent",
    LogStatus.LOG_STATUS_FAILED: "Failed",
    LogStatus.LOG_STATUS_CANCELLED: "Delivery cancelled",
    LogStatus.LOG_STATUS_IGNORED: "Ignored",
}

# The same where a line is short.
STATUS_SHORT: dict[LogStatus, str] = STATUS | {
    LogStatus.LOG_STATUS_TAKEN_INTO_ACCOUNT: "Taken into account",
    LogStatus.LOG_STATUS_CANCELLED: "Cancelled",
}

STATUS_STYLE: dict[LogStatus, str] = {
    LogStatus.LOG_STATUS_SENT: "green",
    LogStatus.LOG_STATUS_FAILED: "red",
    LogStatus.LOG_STATUS_TAKEN_INTO_ACCOUNT: "yellow",
}

# What `--status` takes.
STATUS_BY_NAME: dict[str, LogStatus] = {
    "taken": LogStatus.LOG_STATUS_TAKEN_INTO_ACCOUNT,
    "sent": LogStatus.LOG_STATUS_SENT,
    "failed": LogStatus.LOG_STATUS_FAILED,
    "cancelled": LogStatus.LOG_STATUS_CANCELLED,
}

# Campaign's numbers of reasons, for `--reason`.
REASON_BY_NUMBER: dict[str, str] = {
    "0": "not-defined",
    "1": "user-unknown",
    "2": "invalid-domain",
    "3": "unreachable",
    "4": "account-disabled",
    "5": "mailbox-full",
    "20": "refused",
    "25": "error-ignored",
}


def _words(name: str, prefix: str) -> str:
    words = name.removeprefix(prefix).replace("_", " ").capitalize()
    return words.replace("Dns", "DNS").replace("rcpt", "RCPT")


def failure_type(value: FailureType) -> str:
    """Campaign's label of a failure type: "Hard"."""
    return _words(FailureType.Name(value), "FAILURE_TYPE_") if value else ""


def reason(value: FailureReason) -> str:
    """Campaign's label of a reason: "User unknown"."""
    return _words(FailureReason.Name(value), "FAILURE_REASON_") if value else ""


def bounce_code(value: BounceCode) -> str:
    """Number and name of a bounce code: "10 Invalid recipient"."""
    return f"{int(value)} {_words(BounceCode.Name(value), 'BOUNCE_CODE_')}" if value else ""


def count(number: int, noun: str) -> str:
    """A number of things: "1 message", "1,000 messages"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def were(number: int) -> str:
    """What follows a number of things: "was" or "were"."""
    return "was" if number == 1 else "were"


def enum_words(name: str, prefix: str) -> str:
    """Any other enum value in words: ("CAUSE_MAILBOX", "CAUSE_") -> "mailbox"."""
    return _words(name, prefix).lower()
