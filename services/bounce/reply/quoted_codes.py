"""Codes amid the words of a reply's text, as in bounce mails; emta.reply_codes has those at its start."""

from __future__ import annotations

import re

from services.bounce.reply.frame import Frame

# "host mx.example said: 550 5.1.1 ...", "responded as follows: [550 ...", "because of 550 5.1.1"
_QUOTED_CODE = re.compile(
    r"(?:said|says|respon\w+|returned|repl\w+|error|because of|smtp|rcpt|host)\b[^0-9]{0,60}?\W"
    r"(?P<code>[45]\d\d)(?=[\s-])|(?:^|\W)(?P<coded>[45]\d\d)[: -]{1,2}'?#?(?=[45]\.\d{1,3}\.\d{1,3}\b)",
    re.IGNORECASE | re.ASCII,
)
# qmail's "(#5.1.1)", and what follows a code.
_QUOTED_STATUS = re.compile(r"(?:#|[45]\d\d[: -]{1,2}'?)(?P<status>[45]\.\d{1,3}\.\d{1,3})\b", re.ASCII)


def completed(frame: Frame, text: str) -> Frame:
    """Fill in the codes that a reply lacks and its masked text quotes.

    Where no code is known at all, `code` becomes a class: the enhanced code's, else 5, for what is quoted
    without a code comes from a bounce mail, and bounce mails tell of refusals that are final. Replies of a
    live attempt have a code or say what failed: nothing is added to these but a status.
    """
    if frame.code and (frame.enhanced or ("#5." not in text and "#4." not in text)):
        return frame
    code, status = frame.code, frame.enhanced
    if not status:
        found = _QUOTED_STATUS.search(text)
        status = found["status"] if found is not None else ""
    if not code and not frame.failure:
        quoted = _QUOTED_CODE.search(text)
        if quoted is not None:
            code = int(quoted["code"] or quoted["coded"])
        else:
            code = int(status[0]) if status[:1] in ("4", "5") else 5
    return frame._replace(code=code, enhanced=status)
