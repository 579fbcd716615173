"""Content that is refused at submit, each with its reason."""

from __future__ import annotations

import pytest

from emta.problems import Problem
from services.relay.message import MAX_CONTENT_OCTETS, normalize

HEAD = b"From: a@shop.example\r\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "CONTENT_EMPTY"),
        (HEAD + b"\r\n" + b"x" * MAX_CONTENT_OCTETS, "CONTENT_TOO_LARGE"),
        (HEAD + b"\r\n\0\r\n", "CONTENT_HAS_NUL"),
        (b"no header at all", "HEADER_MALFORMED"),
        (HEAD + b"not a field\r\n\r\nbody\r\n", "HEADER_MALFORMED"),
        (b"From: nobody\r\n\r\nbody\r\n", "HEADER_MALFORMED"),
        (b"Subject: x\r\n\r\nbody\r\n", "HEADER_MISSING"),
        (HEAD * 2 + b"\r\nbody\r\n", "HEADER_REPEATED"),
        (HEAD + b"Subject: a\r\nSubject: b\r\n\r\nbody\r\n", "HEADER_REPEATED"),
        (HEAD + b"Subject: caf\xe9\r\n\r\nbody\r\n", "HEADER_NOT_UTF8"),
        (HEAD + b"Subject: " + b"x" * 998 + b"\r\n\r\nbody\r\n", "LINE_TOO_LONG"),
        (b"Received: x\r\n" * 51 + HEAD + b"\r\nbody\r\n", "ROUTING_LOOP"),
        (HEAD + b"Content-Type: multipart/mixed\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n", "MIME_BOUNDARY_MISSING"),
    ],
)
def test_it_names_the_content_and_the_reason(content: bytes, reason: str) -> None:
    with pytest.raises(Problem) as caught:
        normalize(content, now_ms=0, message_id=lambda: "<1@shop.example>")

    assert (caught.value.field, caught.value.reason) == ("content", reason)
