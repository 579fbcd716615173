"""How the receiver treats a recipient: its local part names the behaviour."""

from __future__ import annotations

import enum
import re
from collections import Counter
from dataclasses import dataclass

from services.chassis.clock import Clock

# "user-unknown+17@...", "user-unknown-17@...": so that many recipients can share a behaviour.
_SUFFIX = re.compile(r"\+.*$|-\d+$")


class Stage(enum.Enum):
    """The point of a transaction at which a behaviour shows."""

    RCPT = "RCPT"
    DATA = "DATA"
    DOT = "DOT"


@dataclass(frozen=True)
class Behaviour:
    """What happens at `stage` instead of the usual.

    reply: without the final CRLF; {rcpt} and {seconds} are filled in; "": no answer.
    times: so many attempts, later ones go well; None: always.
    takes: the message is taken in all the same. closes: the connection ends. hangs: nothing more comes.
    waits: the answer comes late. greylists: until some time has passed since the first attempt.
    """

    summary: str
    stage: Stage | None = None
    reply: str = ""
    times: int | None = None
    takes: bool = False
    closes: bool = False
    hangs: bool = False
    waits: bool = False
    greylists: bool = False


OK = Behaviour("takes every message; so does any other local part that is not in this list")

_RCPT, _DATA, _DOT = Stage.RCPT, Stage.DATA, Stage.DOT

BEHAVIOURS: dict[str, Behaviour] = {
    "ok": OK,
    "user-unknown": Behaviour(
        "no such mailbox", _RCPT, "550 5.1.1 <{rcpt}>: Recipient address rejected: User unknown"
    ),
    "disabled": Behaviour("the mailbox is disabled", _RCPT, "550 5.2.1 <{rcpt}>: This account is disabled"),
    "mailbox-full": Behaviour("the mailbox is always full", _RCPT, "452 4.2.2 <{rcpt}>: Mailbox full"),
    "mailbox-full-then-ok": Behaviour(
        "the mailbox is full at the first attempt", _RCPT, "452 4.2.2 <{rcpt}>: Mailbox full", times=1
    ),
    "greylist": Behaviour(
        "greylisted for a while after the first attempt",
        _RCPT,
        "451 4.7.1 <{rcpt}>: Greylisted, please try again in {seconds} seconds",
        greylists=True,
    ),
    "always-soft": Behaviour("a temporary error, for ever", _RCPT, "451 4.3.0 Temporary lookup failure"),
    "soft-at-dot-once": Behaviour(
        "a temporary error after the content, once",
        _DOT,
        "451 4.3.0 Error: queue file write error",
        times=1,
    ),
    "slow": Behaviour(
        "the answer to the content comes late", _DOT, "250 2.0.0 Ok: queued at last", takes=True, waits=True
    ),
    "hang-after-dot": Behaviour("no answer to the content, the connection stays", _DOT, hangs=True),
    "spam-block": Behaviour(
        "the content is called spam", _DOT, "554 5.7.1 Message rejected: content looks like spam"
    ),
    "policy-block": Behaviour(
        "the sender is blocked by policy", _RCPT, "550 5.7.1 Sender blocked by local policy"
    ),
    "too-big": Behaviour("the message is too big", _DOT, "552 5.3.4 Message size exceeds fixed limit"),
    "relaying-denied": Behaviour(
        "the server does not serve the domain", _RCPT, "554 5.7.1 <{rcpt}>: Relay access denied"
    ),
    "busy": Behaviour(
        "the server is busy and hangs up", _RCPT, "421 4.3.2 Too busy now, please try later", closes=True
    ),
    "drop-at-data": Behaviour("hangs up at DATA", _DATA, closes=True),
    "drop-after-dot-once": Behaviour(
        "takes the content and hangs up without an answer, once", _DOT, times=1, takes=True, closes=True
    ),
    "garbage-reply": Behaviour("answers with what is not SMTP", _RCPT, "\udcff\udcfe\x00 flurb {rcpt}"),
    "two-replies": Behaviour(
        "answers the content twice, so that all later answers are one late",
        _DOT,
        "250 2.0.0 Ok: queued\r\n250 2.0.0 Ok: queued",
        takes=True,
    ),
    "odd-text": Behaviour("refuses in words nobody knows", _RCPT, "550 flurble grommet, quux {rcpt}"),
    "german": Behaviour(
        "refuses in several lines, in German",
        _RCPT,
        "550-5.1.1 Die Nachricht konnte nicht zugestellt werden:\r\n"
        "550-5.1.1 Der Empfänger <{rcpt}> ist hier unbekannt.\r\n"
        "550 5.1.1 Bitte prüfen Sie die Adresse.",
    ),
}


def named(rcpt: str) -> Behaviour:
    """The behaviour for a recipient address."""
    local_part = rcpt.rpartition("@")[0].lower()
    return BEHAVIOURS.get(_SUFFIX.sub("", local_part), OK)


class Memory:
    """What the receiver remembers of a recipient from one attempt to the next."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._attempts: Counter[str] = Counter()
        self._first_ms: dict[str, int] = {}

    def due(self, rcpt: str, stage: Stage, greylist_seconds: int) -> tuple[Behaviour, str] | None:
        """What shall happen at `stage` of this attempt, with the reply; None: the usual."""
        behaviour = named(rcpt)
        if behaviour.stage is not stage:
            return None
        seconds = 0
        if behaviour.greylists:
            now_ms = self._clock.now_ms()
            passed_ms = now_ms - self._first_ms.setdefault(rcpt, now_ms)
            seconds = -((passed_ms - greylist_seconds * 1000) // 1000)
            if seconds <= 0:
                return None
        if behaviour.times is not None:
            self._attempts[rcpt] += 1
            if self._attempts[rcpt] > behaviour.times:
                return None
        return behaviour, behaviour.reply.format(rcpt=rcpt, seconds=seconds)
