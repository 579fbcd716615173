"""What holds for every message and every address, however odd."""

from email import message_from_bytes

from hypothesis import given, settings
from hypothesis import strategies as st

from emta.problems import Problem
from services.relay.envelope import parse_mailbox
from services.relay.message import Normalized, normalize

EIGHT_BIT = [b"\xe9t\xe9", "déjà 中文".encode(), b"\xff\xfe"]
LINES = st.lists(
    st.sampled_from(
        [b"plain", b".", b"..x", b"", b"trailing ", b"tab\t", b"From x", b"=41", b"z" * 1200, *EIGHT_BIT]
    ),
    max_size=8,
).map(b"\r\n".join)
LEAVES = st.tuples(
    st.sampled_from(
        [b"", b"Content-Type: text/html; charset=latin1\r\n", b"Content-Type: application/json\r\n"]
    ),
    st.sampled_from([b"", b"Content-Transfer-Encoding: 8bit\r\n", b"Content-Transfer-Encoding: 7bit\r\n"]),
    LINES,
).map(lambda leaf: leaf[0] + leaf[1] + b"\r\n" + leaf[2])


def _multipart(parts: list[bytes], level: int) -> bytes:
    b = b"=_bound%d" % level
    return (
        b'Content-Type: multipart/mixed; boundary="%b"\r\n\r\n' % b
        + b"".join(b"--%b\r\n%b\r\n" % (b, part) for part in parts)
        + b"--%b--\r\n" % b
    )


ENTITIES = st.one_of(
    LEAVES,
    st.lists(LEAVES, min_size=1, max_size=3).map(lambda parts: _multipart(parts, 1)),
    st.lists(
        st.one_of(LEAVES, st.lists(LEAVES, min_size=1, max_size=2).map(lambda p: _multipart(p, 2))),
        min_size=1,
        max_size=3,
    ).map(lambda parts: _multipart(parts, 1)),
)
MESSAGES = st.tuples(ENTITIES, st.sampled_from([b"\r\n", b"\n", b"\r"])).map(
    lambda drawn: (b"From: a@x.test\r\nX-Kept: 1\r\n" + drawn[0]).replace(b"\r\n", drawn[1])
)


def normalized(content: bytes) -> Normalized:
    return normalize(content, now_ms=0, message_id=lambda: "<u@d.test>")


def leaves(content: bytes) -> list[tuple[str, bytes]]:
    message = message_from_bytes(content)
    return [
        (part.get_content_type(), b"\n".join(part.get_payload(decode=True).splitlines()).rstrip(b"\n"))
        for part in message.walk()
        if not part.is_multipart()
    ]


@settings(max_examples=500, deadline=None)
@given(MESSAGES)
def test_normalising_keeps_what_readers_see_and_makes_it_fit_for_smtp(content):
    result = normalized(content)
    out = result.content
    assert out.count(b"\r\n") == out.count(b"\r") == out.count(b"\n")
    assert max(map(len, out.split(b"\r\n"))) <= 998
    assert out.isascii() or result.needs_8bitmime or result.needs_smtputf8
    assert leaves(out) == leaves(
        content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    )
    again = normalized(out)
    assert (again.content, again.changes) == (out, ())
    assert out.isascii(), "no signed part here: all 8-bit octets can be encoded"


TEXTS = st.text(
    st.one_of(st.sampled_from('ab@."\\[] \r\n\0\t<>-_éß中。'), st.characters(exclude_categories=["Cs"])),
    max_size=30,
)


@settings(max_examples=1500, deadline=None)
@given(st.one_of(TEXTS, TEXTS.map(lambda t: t + "@x.test"), TEXTS.map(lambda t: "a@" + t)))
def test_an_accepted_address_holds_no_control_character_and_parses_to_itself(text):
    try:
        mailbox = parse_mailbox(text, "rcpt_to")
    except Problem as problem:
        assert problem.field == "rcpt_to"  # noqa: PT017
        return
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in mailbox.address)
    assert mailbox.domain.isascii()
    assert parse_mailbox(mailbox.address, "rcpt_to") == mailbox
    assert mailbox.local == text.rpartition("@")[0]
