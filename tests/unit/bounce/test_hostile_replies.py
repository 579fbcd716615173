"""Replies from nobody's RFC: nothing crashes, nothing piles up."""

import random
import resource
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from emta.bounce.v1.bounce_service_pb2 import QualifyRepliesResponse
from emta.bounce.v1.smtp_reply_pb2 import SmtpReply
from services.bounce.catalogue.catalogue import load, sample_reply
from services.bounce.qualify import Qualifier
from services.bounce.reply.masking import LONGEST

QUALIFIER = Qualifier(load())
SAMPLES = [sample for rule in QUALIFIER.catalogue.rules for sample in rule.samples]
_PIECES = [
    "\x00",
    "\n",
    "550-",
    "5.1.1",
    "@",
    "<",
    "::1",
    "#xxx#",
    "*",
    "\ufdfa",
    "\u0301",
    "用户",
    "\u202e",
    "a1",
]
# Growth that an allocator may show; 50,000 replies that are kept would be some 100 MiB.
_ALLOWED_OCTETS = 24 * 1024 * 1024


@settings(max_examples=500)
@given(
    st.builds(
        SmtpReply,
        code=st.integers(0, 2**32 - 1),
        phase=st.integers(0, 20),
        failure=st.integers(0, 20),
        enhanced_code=st.text(max_size=20),
        mx_host=st.text(max_size=300),
        text=st.text(max_size=500) | st.text("aA1.@:;-_ <[#", max_size=2 * LONGEST),
    )
)
def test_whatever_comes_is_answered(reply: SmtpReply) -> None:
    answer = QUALIFIER.answer(reply)

    assert answer.meaning.rule_id
    assert len(answer.meaning.normalized_md5) == 32
    assert QualifyRepliesResponse.FromString(answer.encoded).results[0].qualification == answer.meaning


def mutated(chance: random.Random) -> SmtpReply:
    """A real reply with pieces cut out, repeated, exchanged, and others in between."""
    reply = sample_reply(chance.choice(SAMPLES))
    text = reply.text
    for _ in range(chance.randrange(1, 6)):
        start, end = sorted(chance.randrange(len(text) + 1) for _ in range(2))
        piece = chance.choice(_PIECES) * chance.choice((1, 1, 2, 50))
        text = chance.choice(
            (text[:start] + text[end:], text[:end] + piece + text[end:], text + text[start:end])
        )
    reply.text = text
    reply.code = chance.choice((reply.code, 0, 250, 421, 550, 599, 999))
    reply.enhanced_code = chance.choice(
        (reply.enhanced_code, "", "5.1.1", "9.9.9", f"5.7.{chance.randrange(1000)}")
    )
    reply.mx_host = chance.choice((reply.mx_host, "", f"mx{chance.getrandbits(64)}.example"))
    return reply


def resident() -> int:
    """Resident memory of this process, octets (proc(5), statm)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


# Half a minute of CPU: several where others use the machine.
@pytest.mark.timeout(600)
def test_a_hundred_thousand_mutated_replies_leave_nothing_behind() -> None:
    chance = random.Random(1)
    for _ in range(50_000):
        QUALIFIER.answer(mutated(chance))
    before = resident()
    for _ in range(50_000):
        QUALIFIER.answer(mutated(chance))

    assert resident() - before < _ALLOWED_OCTETS
