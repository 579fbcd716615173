"""`python -m services.bounce qualify`: replies as JSON lines in, their meanings as JSON lines out."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from emta.bounce.v1.qualification_pb2 import (
    Cause,
    Disposition,
    FailureReason,
    FailureType,
    Qualification,
)
from emta.bounce.v1.smtp_reply_pb2 import SmtpPhase, SmtpReply
from services.bounce.catalogue import RuleError, load
from services.bounce.qualify import Qualifier
from services.bounce.reply_codes import without_codes
from services.bounce.settings import BounceSettings
from services.chassis.settings import SettingsError, load_settings

_FIELDS: dict[str, Any] = {
    "id": (str, int),
    "code": int,
    "enhanced": str,
    "text": str,
    "phase": str,
    "mx": str,
    "provider": str,
}
_TYPES = {FailureType.FAILURE_TYPE_HARD: "hard", FailureType.FAILURE_TYPE_IGNORED: "ignored"}
_LABELS = {
    FailureReason.FAILURE_REASON_NOT_DEFINED: "Not defined",
    FailureReason.FAILURE_REASON_USER_UNKNOWN: "User unknown",
    FailureReason.FAILURE_REASON_INVALID_DOMAIN: "Invalid domain",
    FailureReason.FAILURE_REASON_UNREACHABLE: "Unreachable",
    FailureReason.FAILURE_REASON_ACCOUNT_DISABLED: "Account disabled",
    FailureReason.FAILURE_REASON_MAILBOX_FULL: "Mailbox full",
    FailureReason.FAILURE_REASON_REFUSED: "Refused",
    FailureReason.FAILURE_REASON_ERROR_IGNORED: "Error ignored",
}
# What the receiver's own passing trouble is: the next try may come on the normal schedule. Everything else
# that is tried again is about the sender's pace or standing, and a quick retry makes it worse.
_NORMAL_PACE = {Cause.CAUSE_UNSPECIFIED, Cause.CAUSE_MAILBOX, Cause.CAUSE_BUSY, Cause.CAUSE_NETWORK}


class BadLine(Exception):
    """A line of the input that is no reply; the text says which and why."""


def read_replies(lines: Iterable[str]) -> Iterator[tuple[dict[str, Any], SmtpReply]]:
    """Read JSON lines, each with its reply. Empty lines are passed over. Raises BadLine."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise BadLine(f"line {number}: not JSON") from None
        if not isinstance(row, dict):
            raise BadLine(f"line {number}: not a JSON object")
        try:
            yield row, reply_of(row)
        except ValueError as error:
            raise BadLine(f"line {number}: {error}") from None


def reply_of(row: dict[str, Any]) -> SmtpReply:
    """Make a reply of `code, enhanced, text, phase, mx`, any of which may be missing. Raises ValueError.

    Codes that are missing are taken from where the text starts with them, as in a log line.
    """
    for name, kind in _FIELDS.items():
        value = row.get(name)
        if value is not None and (not isinstance(value, kind) or isinstance(value, bool)):
            raise ValueError(f"{name} is not a {'number' if kind is int else 'string'}")
    text, code, enhanced = without_codes(
        row.get("text") or "", row.get("code") or 0, row.get("enhanced") or ""
    )
    if code and not 200 <= code <= 599:
        raise ValueError(f"code {code} is not in 200..599")
    phase = (row.get("phase") or "unknown").upper()
    if phase == "UNKNOWN":
        phase = "UNSPECIFIED"
    name = f"SMTP_PHASE_{phase}"
    if name not in tuple(SmtpPhase.keys()):
        raise ValueError(f"phase {row['phase']} is not one of SMTP's")
    return SmtpReply(
        phase=name,
        code=code,
        enhanced_code=enhanced,
        text=text.encode(errors="replace").decode(),
        mx_host=(row.get("mx") or "").lower().rstrip("."),
    )


def as_row(row: dict[str, Any], meaning: Qualification) -> dict[str, Any]:
    """Give the answer to one line."""
    return {
        "id": row.get("id"),
        "type": type_of(meaning),
        "reason": label_of(meaning),
        "momentum_class": int(meaning.bounce_code),
        "severity": _severity(meaning),
        "cause": Cause.Name(meaning.cause).removeprefix("CAUSE_").lower(),
        "rule": meaning.rule_id,
    }


def type_of(meaning: Qualification) -> str:
    """Give the type as a word; what is not defined counts as soft (contract 1.1)."""
    return _TYPES.get(meaning.type, "soft")


def label_of(meaning: Qualification) -> str:
    """Give the reason as Campaign labels it."""
    return _LABELS[meaning.reason]


def _severity(meaning: Qualification) -> str:
    if meaning.disposition == Disposition.DISPOSITION_FINAL:
        return "stop"
    if meaning.disposition == Disposition.DISPOSITION_RETRY_LATER or meaning.cause not in _NORMAL_PACE:
        return "retry-slow"
    return "retry-normal"


def main(arguments: list[str]) -> int:
    """Qualify standard input into standard output; gives the exit code."""
    if arguments:
        print("usage: python -m services.bounce qualify < replies.jsonl", file=sys.stderr)
        return 2
    try:
        qualifier = Qualifier(load(load_settings(BounceSettings).rules))
        for row, reply in read_replies(input_lines()):
            meaning = qualifier.answer(reply, row.get("provider") or "").meaning
            print(json.dumps(as_row(row, meaning)))
    except (BadLine, RuleError, SettingsError, OSError) as error:
        return failed("qualify", error)
    return 0


def input_lines() -> TextIO:
    """Give standard input, in which what is not UTF-8 is no error: replies come from anywhere.

    Raises OSError where there is none.
    """
    if sys.stdin is None:
        raise OSError("standard input is closed")
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(encoding="utf-8-sig", errors="replace")
    return sys.stdin


def failed(command: str, error: Exception) -> int:
    """Say in one line why a command ends; gives its exit code. Whoever stops reading gets no line."""
    if isinstance(error, BrokenPipeError):
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 -- the interpreter flushes it on its way out
        return 1
    print(f"bounce {command}: {error}", file=sys.stderr)
    return 2
