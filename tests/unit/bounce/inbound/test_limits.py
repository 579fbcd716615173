"""Mails that are too large or too deeply nested are refused before anything in them is read."""

import pytest

from services.bounce.inbound.entity import (
    MAX_DEPTH,
    MAX_HEADER_OCTETS,
    MAX_OCTETS,
    MAX_PARTS,
    LimitError,
    opened,
)


def nested(depth: int) -> bytes:
    return b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (level, level) for level in range(depth)
    )


def parts(count: int) -> bytes:
    return b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nHello\n" * count


@pytest.mark.parametrize(
    ("raw", "limit"),
    [
        (b"a: b\n\n" + b"x" * MAX_OCTETS, "over 1,048,576 octets"),
        (b"a: " + b"x" * MAX_HEADER_OCTETS + b"\n\n", "a header of 65,539 octets, over 65,536"),
        (nested(MAX_DEPTH + 1), "parts nested over 20 deep"),
        (nested(1_000), "parts nested over 20 deep"),
        (
            nested(MAX_DEPTH) + b"\n" + b"x" * (MAX_OCTETS // 2),
            "nested parts of over 8,388,608 octets together",
        ),
        (parts(MAX_PARTS + 1), "more than 100 parts"),
        (
            b"Content-Type: multipart/mixed; boundary=b\n\n" + (b"--b\na: " + b"x" * 700 + b"\n\n") * 100,
            "headers of parts over 65,536 octets",
        ),
    ],
    ids=["octets", "header", "depth", "very deep", "large and deep", "parts", "headers of parts"],
)
def test_a_mail_over_a_limit_is_refused(raw: bytes, limit: str) -> None:
    with pytest.raises(LimitError, match=limit):
        opened(raw)


def test_a_mail_at_the_limits_is_opened() -> None:
    assert len(opened(nested(MAX_DEPTH)).parts) == 1
    assert len(opened(parts(MAX_PARTS)).parts) == MAX_PARTS
    assert opened(b"a: b\n\n" + b"x" * (MAX_OCTETS - 6)).parts[0].text.startswith("xx")
