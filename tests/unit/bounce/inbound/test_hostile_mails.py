"""Mails from nobody's RFC: nothing crashes. `python -m bench inbound` says how long they take."""

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from bench.inbound import mutated, seeds
from services.bounce.catalogue.catalogue import load
from services.bounce.inbound.entity import LimitError
from services.bounce.inbound.mail import InboundMail
from services.bounce.inbound.outcome import meaning
from services.bounce.inbound.reading import read
from services.bounce.qualify import Qualifier

QUALIFIER = Qualifier(load())
_PIECES = [
    b"\n",
    b"\n\n",
    b"\r\n",
    b"\r",
    b"\0",
    b" ",
    b"\t",
    b"@",
    b"<",
    b">",
    b":",
    b";",
    b'"',
    b"=?q?b?",
    b"--b",
    b"--b--",
    b"From ",
    b"From: MAILER-DAEMON\n",
    b"Return-Path: <>\n",
    b"X-Failed-Recipients: a@b.example\n",
    b"<a@b.example>",
    b"Subject: failure notice\n",
    b"Auto-Submitted: auto-replied\n",
    b"550-5.1.1 ",
    b"550 5.1.1 no\n",
    b"said:",
    b"Content-Type: multipart/mixed; boundary=b\n\n",
    b"Content-Type: message/delivery-status\n\n",
    b"\n--b\n",
    b"Content-Type: message/rfc822\n\n",
    b"Content-Type: message/feedback-report\n\n",
    b"charset=utf-7\n",
    b"Content-Transfer-Encoding: base64\n",
    b"Content-Transfer-Encoding: quoted-printable\n",
    b"=\n",
    b"=zz",
    b"A==A",
    b"Final-Recipient: rfc822; a@b.example\n",
    b"Status: 5.1.1\n",
    b"Arrival-Date: x\n",
    b"Action: failed\n",
    b'{"notificationType":"Bounce",',
    b'"bounce":{}}',
    b"\xff\xfe",
    "配信".encode(),
    "\u202e".encode(),
    b"\x1b$B",
]


def answer(raw: bytes) -> InboundMail | None:
    """Read and qualify a mail; None where it is over a limit."""
    try:
        mail = read(raw)
    except LimitError:
        return None
    for recipient in mail.recipients:
        meaning(mail, recipient, QUALIFIER)
    return mail


@settings(max_examples=300)
@given(st.binary(max_size=2_000))
def test_any_octets_are_read(raw: bytes) -> None:
    assert answer(raw) is not None


@settings(max_examples=500)
@given(st.lists(st.sampled_from(_PIECES) | st.binary(max_size=8), max_size=60))
def test_any_pieces_of_mails_are_read(pieces: list[bytes]) -> None:
    assert answer(b"".join(pieces)) is not None


def test_mutated_mails_are_read() -> None:
    chance, mails = random.Random(1), seeds()
    kinds = {found.kind for _ in range(2_000) if (found := answer(mutated(chance, mails)))}

    assert {"bounce", "complaint", "auto_reply", "challenge", "unsubscribe", "other"} <= kinds
