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
from emta.problems import in_words
from emta.reply_codes import without_codes
from services.bounce.catalogue.catalogue import load
from services.bounce.catalogue.rule_file import RuleError
from services.bounce.qualify import Qualifier
from services.bounce.settings import BounceSettings
from services.chassis.settings import SettingsError, load_settings

_STRINGS = ("enhanced", "text", "mx", "provider")
# What logs and libraries call the steps of SMTP, beside the contract's own names.
_PHASES = {
    "banner": "connect",
    "greeting": "connect",
    "helo": "ehlo",
    "mail-from": "mail",
    "rcpt-to": "rcpt",
    "eom": "dot",
    "end-of-data": "dot",
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


class BadLines(Exception):
    """The input had lines that are no replies; the text says how many."""

    def __init__(self, count: int) -> None:
        super().__init__(f"lines that are no replies: {count:,}")


def read_replies(lines: Iterable[str]) -> Iterator[tuple[dict[str, Any], SmtpReply | None]]:
    """Read JSON lines, each with its reply. Empty lines are passed over.

    Reply None: the line is none, and in its place comes what to say about it: `id, line, error`.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        row: Any = None
        try:
            row = _object(line)
            yield row, reply_of(row)
        except ValueError as error:
            yield {"id": row.get("id") if row else None, "line": number, "error": str(error)}, None


def _object(line: str) -> dict[str, Any]:
    """Read a JSON object. Raises ValueError."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")
    return row


def reply_of(row: dict[str, Any]) -> SmtpReply:
    """Make a reply of `code, enhanced, text, phase, mx`, any of which may be missing. Raises ValueError.

    Codes that are missing are taken from where the text starts with them, as in a log line. A code that is
    none of SMTP's, and a phase that nobody knows, count as missing.
    """
    for name in _STRINGS:
        if not isinstance(row.get(name) or "", str):
            raise ValueError(f"{name} is not a string")
    text, code, enhanced = without_codes(
        row.get("text") or "", _code(row.get("code")), row.get("enhanced") or ""
    )
    return SmtpReply(
        phase=_phase(row.get("phase")),
        code=code,
        enhanced_code=enhanced,
        text=text.encode(errors="replace").decode(),
        mx_host=(row.get("mx") or "").lower().rstrip("."),
    )


def _code(value: Any) -> int:
    """Give a reply code, 0 where there is none. Raises ValueError."""
    if isinstance(value, str):
        value = value.strip() or None
    if value is None:
        return 0
    try:
        code = int(value)
        if isinstance(value, bool) or (isinstance(value, float) and code != value):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise ValueError("code is not a number") from None
    return code if 200 <= code <= 599 else 0


def _phase(value: Any) -> str:
    """Give the contract's name of a phase."""
    word = "-".join(str(value or "").lower().replace("_", " ").replace("-", " ").split())
    name = f"SMTP_PHASE_{_PHASES.get(word, word).upper()}"
    return name if name in tuple(SmtpPhase.keys()) else "SMTP_PHASE_UNSPECIFIED"


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
        bad = 0
        for row, reply in read_replies(input_lines()):
            if reply is None:
                bad += 1
            else:
                row = as_row(row, qualifier.answer(reply, row.get("provider") or "").meaning)
            print(json.dumps(row))
        if bad:
            raise BadLines(bad)
    except (BadLines, RuleError, SettingsError, OSError) as error:
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
    print(f"bounce {command}: {in_words(error)}", file=sys.stderr)
    return 2
