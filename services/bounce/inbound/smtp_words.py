"""Replies of SMTP amid the words of a report."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from emta.reply_codes import without_codes
from services.bounce.inbound.words import names, words

_STATUS = r"[245]\.\d{1,3}\.\d{1,3}"
# A code counts as one where a line or a quotation begins with it, where a word for an answer comes before,
# or where an enhanced code comes after; other numbers are amounts.
_REPLY = re.compile(
    rf"(?:(?:^[\s>|*#]*|[<>(\['\"`:;=#]\s{{0,4}}|<<<\s{{0,4}}|<-{{1,3}}\s{{0,4}}"
    rf"|\b(?:said|says|error|code|repl\w{{1,3}}|respon\w{{1,5}}|returned|of|with|reason|status|server)\b\W{{1,4}})"
    rf"(?P<code>[45]\d\d)(?:(?P<dash>-)|[ \t:;,)]|$)|\b(?P<coded>[45]\d\d)[ -](?=#?{_STATUS}\b))"
    rf"\s{{0,4}}[#(]?(?:(?P<status>{_STATUS})\b[\s:;,)-]{{0,4}})?",
    re.IGNORECASE | re.ASCII,
)
_QUOTED_STATUS = re.compile(
    rf"(?:#|\b(?:status|(?:dsn |status |error[_ ])?code)\W{{1,3}}|\(|\[|^\s*)({_STATUS})\b",
    re.IGNORECASE | re.ASCII,
)
_NAME = r"[\w-]{1,63}(?:\.[\w-]{1,63}){1,10}"
_HOST = re.compile(
    rf"(?:\b(?:host|talking to|server|by domain|from|reached)\s{{1,4}}[<'\"(]?(?P<named>{_NAME})"
    rf"|(?<![\w.@-])(?P<beside>{_NAME})\.?\s?[\[(]\d)",
    re.IGNORECASE | re.ASCII,
)

_PHASES = {name: words("phase", name) for name in names("phase")}
# How far before a reply a report says what it answers, and how far behind an address who answered.
_LINES_BEFORE = 5
_LOOKED_AT = 8_000
# What follows a reply and is none of it: the next command, what qmail adds, a line across.
_NO_REPLY = (">>>", "-->", "Giving up", "I'm not going to try", "---", "===")


class Reply(NamedTuple):
    """A reply as a report quotes it. 0 and "" where it has none."""

    code: int
    status: str
    text: str
    phase: str  # where in SMTP it was said, as SmtpPhase names it in lower case


def reply_in(lines: Sequence[str]) -> Reply | None:
    """Give the first refusal (4xx, 5xx) that these lines quote, with the lines that go on with it."""
    for number, line in enumerate(lines):
        found = _REPLY.search(line)
        if found is None:
            continue
        code, status = found["code"] or found["coded"], found["status"] or ""
        said = [line[found.end() :]]
        for more in lines[number + 1 :]:
            more = more.strip().removeprefix("<<<").strip()
            if not more or more.startswith(_NO_REPLY):
                break
            said.append(_without_code(more, code, status))
        text, _, quoted = without_codes(" ".join(said).strip(), int(code), status)
        before = reversed(lines[max(0, number - _LINES_BEFORE) : number + 1])
        phase = next(filter(None, map(phase_in, (text, *before))), "")
        return Reply(int(code), quoted, text, phase)
    return None


def phase_in(text: str) -> str:
    """Give the phase of SMTP that a report says a refusal came in; '' where it says none."""
    return next((name for name, pattern in _PHASES.items() if pattern.search(text)), "")


def status_in(text: str) -> str:
    """Give the first enhanced code that is marked as one, as qmail's "(#5.1.1)"."""
    found = _QUOTED_STATUS.search(text)
    return found[1] if found else ""


def host_in(text: str) -> str:
    """Give the host that refused, where the text names one."""
    for found in _HOST.finditer(text[:_LOOKED_AT]):
        name = (found["named"] or found["beside"]).lower()
        if name.rpartition(".")[2].isalpha():
            return name
    return ""


def _without_code(line: str, code: str, status: str) -> str:
    if line.startswith(code) and line[3:4] in ("-", " ", ""):
        line = line[4:].lstrip()
        if status:
            line = line.removeprefix(status).lstrip()
    return line
