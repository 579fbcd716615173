"""SmtpReply: the one form in which every refusal or failure of an attempt leaves the Relay."""

from __future__ import annotations

import re
from typing import NamedTuple

from emta.bounce.v1.smtp_reply_pb2 import FailureKind, SmtpPhase, SmtpReply

MAX_TEXT = 1024
# As the contract has it. Odd octets of a host's name are four characters each; the end is its domain.
_MAX_HOST = 253

# RFC 3463 section 2; a reply repeats it on each of its lines (RFC 2034 section 3).
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?=\s|$)[ \t]*")
# C0, DEL, C1, and what surrogateescape made of bytes that are no UTF-8.
_UNPRINTABLE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_CUT_ESCAPE = re.compile(r"\\(?:x[0-9a-f]?)?\Z")


class AttemptFailed(Exception):
    """An attempt that ended before a message could be offered; `reply` says why."""

    def __init__(self, reply: SmtpReply) -> None:
        super().__init__(SmtpPhase.Name(reply.phase), reply.code, FailureKind.Name(reply.failure))
        self.reply = reply


class Place(NamedTuple):
    """Where an attempt is: the fields of SmtpReply that do not depend on what went wrong."""

    recipient_domain: str
    mx_host: str = ""
    remote_ip: str = ""
    local_ip: str = ""
    tls_version: str = ""

    def refusal(self, phase: SmtpPhase, code: int, text: str) -> SmtpReply:
        """Give the reply of a server: `code` 200..599, `text` its lines without codes, joined by LF."""
        enhanced_code, text = split_enhanced_code(text)
        return self._reply(phase, text, code=code, enhanced_code=enhanced_code)

    def failure(self, phase: SmtpPhase, kind: FailureKind, text: str) -> SmtpReply:
        """Give what happened when no valid reply came; `text` is our own description, one line."""
        return self._reply(phase, text, failure=kind)

    def _reply(
        self,
        phase: SmtpPhase,
        text: str,
        *,
        code: int = 0,
        enhanced_code: str = "",
        failure: FailureKind = FailureKind.FAILURE_KIND_UNSPECIFIED,
    ) -> SmtpReply:
        return SmtpReply(
            phase=phase,
            code=code,
            enhanced_code=enhanced_code,
            text=printable(text),
            failure=failure,
            mx_host=self.mx_host[-_MAX_HOST:],
            remote_ip=self.remote_ip,
            recipient_domain=self.recipient_domain,
            tls_version=self.tls_version,
            local_ip=self.local_ip,
        )


def about(reply: SmtpReply, domain: str) -> SmtpReply:
    """Give a reply for a recipient domain: it was said of none."""
    own = SmtpReply(recipient_domain=domain)
    own.MergeFrom(reply)
    return own


def split_enhanced_code(text: str) -> tuple[str, str]:
    """Separate the enhanced status code of a reply ("" where it has none) from its lines."""
    found = _ENHANCED.match(text)
    if not found:
        return "", text
    code = found[1]
    lines = text.split("\n")
    return code, "\n".join(_without(code, line) for line in lines)


def printable(text: str) -> str:
    r"""Give text safe to show and to store: controls and bad bytes as \xNN, at most MAX_TEXT characters."""
    # Cut first: escaping only lengthens, and a server may send 32 KiB.
    escaped = _UNPRINTABLE.sub(_escape, text[: MAX_TEXT + 1])
    if len(escaped) <= MAX_TEXT:
        return escaped
    return _CUT_ESCAPE.sub("", escaped[:MAX_TEXT])


def _without(code: str, line: str) -> str:
    found = _ENHANCED.match(line)
    return line[found.end() :] if found and found[1] == code else line


def _escape(found: re.Match[str]) -> str:
    # surrogateescape keeps a byte NN as U+DCNN.
    return f"\\x{ord(found[0]) & 0xFF:02x}"
