"""`python -m bench inbound`: what do hostile mails cost, to read and to qualify?

Reports, complaints, bounces and answers with pieces cut out, repeated, exchanged and blown up, to 1 MiB. No
mail may crash the reader or take long, and nothing may pile up.
"""

from __future__ import annotations

import argparse
import random
import resource
import time
from pathlib import Path

from bench import report
from services.bounce.catalogue.catalogue import load
from services.bounce.inbound.entity import MAX_OCTETS, LimitError
from services.bounce.inbound.outcome import meaning
from services.bounce.inbound.reading import read
from services.bounce.qualify import Qualifier

_HEADER = """\
Return-Path: <>
Delivered-To: bounce+1@news.example
From: Mail Delivery System <MAILER-DAEMON@mta.example>
To: bounce+1@news.example
Subject: =?utf-8?Q?Undelivered?= Mail Returned to Sender
Message-ID: <r1@mta.example>
"""
_RETURNED = """\
Return-Path: <bounce+1@news.example>
Received: from news.example by mta.example; Mon, 2 Nov 2026 10:00:00 +0000
From: News <news@news.example>
To: anna@shop.example
Subject: Hello
Message-ID: <m1@news.example>

Hello Anna
"""
_TEXT = """\
I'm sorry to have to inform you that your message could not be delivered.

<anna@shop.example>: host mx.shop.example[192.0.2.1] said: 550-5.1.1
    550 5.1.1 <anna@shop.example>: User unknown (in reply to RCPT TO command)

bert@shop.example
    >>> RCPT TO:<bert@shop.example>
    <<< 452 4.2.2 Over quota

"""
_STATUS = """\
Reporting-MTA: dns; mta.example
Arrival-Date: Mon, 2 Nov 2026 10:00:00 +0000

Original-Recipient: rfc822;anna@shop.example
Final-Recipient: rfc822; anna@shop.example
Action: failed
Status: 5.0.0
Remote-MTA: dns; mx.shop.example
Diagnostic-Code: smtp; 550 5.1.1 User unknown
"""
_COMPLAINT = "Feedback-Type: abuse\nVersion: 1\nOriginal-Rcpt-To: anna@shop.example\n"
_HTML = "<html><style>p {}</style><p>Delivery to <b>anna@shop.example</b> failed:<br>550 5.2.2 full</html>"
_NOTIFICATION = (
    '{"notificationType":"Bounce","bounce":{"bounceType":"Permanent","bouncedRecipients":'
    '[{"emailAddress":"anna@shop.example","status":"5.1.1","diagnosticCode":"smtp; 550 5.1.1 no"}]}}'
)
_PIECES = [
    *("\n", "\n\n", "\r", "\0", "\t", "@", "<", ">", ":", ";", "--", "--b1\n", "--b1--\n", "=?utf-8?q?"),
    *("550 ", "550-5.1.1 ", "5.1.1", "a@b.example ", "<a@b.example>: ", "From: ", "Received: x\n"),
    *("&lt;", "配信", "\ufdfa", "[", "{", '"', "\\ud800", "null"),
    "Content-Type: multipart/mixed; boundary=b1\n\n--b1\n",
    "Final-Recipient: rfc822; a@b.example\n",
    "Content-Transfer-Encoding: base64\n",
    "charset=utf-7;",
]  # fmt: skip
_PATIENCE = 0.050  # seconds a mail; the figure


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("--messages", type=int, default=100_000, help="mails (default: 100,000)")
    parser.add_argument("--seed", type=int, default=1, help="other mails, the same each time (default: 1)")


def seeds() -> list[str]:
    """Mails as they should be: what is mutated."""
    return [
        _multipart("report; report-type=delivery-status", "message/delivery-status", _STATUS),
        _multipart("report; report-type=feedback-report", "message/feedback-report", _COMPLAINT),
        _multipart("alternative", "text/html", _HTML),
        f"{_HEADER}\n{_TEXT}{_RETURNED}",
        f"{_HEADER}X-Failed-Recipients: anna@shop.example\n\n{_TEXT}",
        f"{_HEADER}Content-Type: text/html; charset=utf-8\n\n{_HTML}",
        f"{_HEADER}Auto-Submitted: auto-replied\n\nI am away. Your message is held, please confirm.\n",
        f"{_HEADER}\n{_NOTIFICATION}\n",
        "From: anna@shop.example\nTo: unsubscribe@news.example\nSubject: unsubscribe\n\n",
    ]


def mutated(chance: random.Random, mails: list[str]) -> bytes:
    """A mail with pieces cut out, repeated, exchanged and others in between; one in 50 is blown up."""
    text = chance.choice(mails)
    for _ in range(chance.randrange(1, 8)):
        start, end = sorted(chance.randrange(len(text) + 1) for _ in range(2))
        piece = chance.choice(_PIECES) * chance.choice((1, 1, 1, 2, 50))
        other = chance.choice(mails)
        text = chance.choice(
            (
                text[:start] + text[end:],
                text[:start] + piece + text[start:],
                text + text[start:end],
                text[:start] + other[len(other) * start // (len(text) + 1) :],
            )
        )
    if chance.random() < 0.02:
        piece = chance.choice((*_PIECES, text[-chance.randrange(1, 200) :] or "x"))
        place = chance.randrange(len(text) + 1)
        text = text[:place] + piece * (chance.randrange(MAX_OCTETS) // len(piece.encode())) + text[place:]
    raw = text.encode()
    return raw.replace(b"\n", b"\r\n") if chance.random() < 0.3 else raw


async def run(arguments: argparse.Namespace) -> int:
    """Measure; gives the exit code: 1 where a mail took too long."""
    chance, mails = random.Random(arguments.seed), seeds()
    # What it remembers by intent is full before memory is compared.
    qualifier = Qualifier(load(), remembered=1_000)
    worst, kinds, cpu, before = 0.0, dict[str, int](), 0.0, 0
    for number in range(arguments.messages):
        if number == arguments.messages // 2:
            before = _resident()
        raw = mutated(chance, mails)
        kind, took = _timed(raw, qualifier)
        cpu += took
        if took > _PATIENCE:
            # Others on the machine make one slow now and then; what is slow by itself stays so.
            took = min(_timed(raw, qualifier)[1] for _ in range(3))
        kinds[kind] = kinds.get(kind, 0) + 1
        worst = max(worst, took)
    grown = _resident() - before
    report.say(
        f"  {arguments.messages / cpu:,.0f} mails a CPU second; the slowest took {worst * 1000:.1f} ms"
    )
    report.say(f"  memory grew by {grown / 2**20:.1f} MiB over the second half")
    report.say("  " + ", ".join(f"{name} {count:,}" for name, count in sorted(kinds.items())))
    report.write(
        "inbound",
        {"mails": arguments.messages, "slowest_seconds": worst, "octets_grown": grown, "kinds": kinds},
    )
    return 0 if worst <= _PATIENCE else 1


def _timed(raw: bytes, qualifier: Qualifier) -> tuple[str, float]:
    """Read and qualify a mail; gives its kind, and CPU seconds."""
    began = time.process_time()
    return _answer(raw, qualifier), time.process_time() - began


def _answer(raw: bytes, qualifier: Qualifier) -> str:
    """Read and qualify a mail; gives its kind."""
    try:
        mail = read(raw)
    except LimitError:
        return "over a limit"
    for recipient in mail.recipients:
        meaning(mail, recipient, qualifier)
    return mail.kind.value


def _multipart(kind: str, second: str, body: str) -> str:
    parts = (("text/plain", _TEXT), (second, body), ("message/rfc822", _RETURNED))
    pieces = "".join(f"--b1\nContent-Type: {each}\n\n{content}\n" for each, content in parts)
    return f'{_HEADER}Content-Type: multipart/{kind}; boundary="b1"\n\n{pieces}--b1--\n'


def _resident() -> int:
    """Resident memory of this process, octets (proc(5), statm)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
