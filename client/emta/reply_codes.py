"""Codes at the start of a reply's text, as servers and logs have it."""

from __future__ import annotations

import re

_CODE_AT_START = re.compile(r"(?P<code>[245]\d\d)(?:[ -]|$)\s*")
_STATUS_AT_START = re.compile(r"#?(?P<status>[245]\.\d{1,3}\.\d{1,3})(?=[\s:;,]|$)[:;,]?\s*")


def without_codes(text: str, code: int = 0, status: str = "") -> tuple[str, int, str]:
    """Take code and enhanced code (RFC 2034) off the starts of a reply's lines; gives text, code, status.

    What is given wins: lines that begin with another code keep it.
    """
    lines = []
    for line in text.splitlines():
        found = _CODE_AT_START.match(line)
        if found is not None and code in (0, int(found["code"])):
            code, line = int(found["code"]), line[found.end() :]
        enhanced = _STATUS_AT_START.match(line)
        if enhanced is not None and status in ("", enhanced["status"]):
            status, line = enhanced["status"], line[enhanced.end() :]
        lines.append(line)
    return "\n".join(lines), code, status
