"""Messages as they really are: delivered as the oracle says, or refused; never altered silently."""

from __future__ import annotations

import random
from email import message_from_bytes, policy

import pytest

from demo.machine import SENDER_DOMAIN
from emta.bounce.v1.smtp_reply_pb2 import FailureKind
from emta.feedback.v1.log_pb2 import LogStatus
from emta.problems import Problem
from emta.relay.v1.message_pb2 import ContentChange
from tests.e2e.conftest import World, message

SENT = LogStatus.LOG_STATUS_SENT
FAILED = LogStatus.LOG_STATUS_FAILED

HEAD = (
    f"From: news@{SENDER_DOMAIN}\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n"
    f"Message-ID: <1@{SENDER_DOMAIN}>\r\nMIME-Version: 1.0\r\n"
).encode()


async def delivered(
    world: World, content: bytes, rcpt: str = "ok@alpha.example"
) -> tuple[bytes, list[int]]:
    """Deliver a message; gives what arrived under its signature, and the changes that were announced."""
    (result,) = await world.submit(message(rcpt, content=content))
    assert result.WhichOneof("result") == "acceptance", Problem.from_status(result.error).reason
    await world.until(SENT)
    (arrived,) = world.receiver.journal.accepted(rcpt)
    assert world.receiver.journal.violations == []
    signed = arrived.content
    assert signed.startswith(b"DKIM-Signature: ")
    lines = signed.split(b"\r\n")
    end = next(n for n, line in enumerate(lines) if n and not line.startswith((b" ", b"\t")))
    return b"\r\n".join(lines[end:]), list(result.acceptance.content_changes)


@pytest.mark.parametrize(
    "body",
    [
        b"plain\r\n",
        b".\r\n..\r\n.x\r\n\r\n.\r\n",
        b"ends in empty lines\r\n\r\n\r\n",
        b"x" * 998 + b"\r\n",
        b"trailing blanks \t \r\n",
    ],
)
async def test_what_is_fit_arrives_octet_for_octet(world: World, body: bytes) -> None:
    content = HEAD + b"\r\n" + body

    assert await delivered(world, content) == (content, [])


@pytest.mark.parametrize(
    "body", [b"one\ntwo\n", b"one\rtwo\r", b"one\r\n.\n.\r\n\n.\r\nMAIL FROM:<x@y.example>\n"]
)
async def test_bare_line_ends_become_crlf_and_one_message_stays_one(world: World, body: bytes) -> None:
    arrived, changes = await delivered(world, HEAD + b"\r\n" + body)

    lines = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    assert arrived == HEAD + b"\r\n" + lines
    assert changes == [ContentChange.CONTENT_CHANGE_LINE_ENDS]
    assert len(world.receiver.journal.messages) == 1


@pytest.mark.parametrize(
    ("charset", "text"),
    [("utf-8", "Grüße 花子"), ("iso-8859-1", "Grüße"), ("koi8-r", "Привет"), ("utf-8", "x" * 1_200)],
)
async def test_8_bit_and_long_lines_arrive_readable(world: World, charset: str, text: str) -> None:
    kind = f"Content-Type: text/plain; charset={charset}\r\n\r\n".encode()

    arrived, changes = await delivered(world, HEAD + kind + text.encode(charset) + b"\r\n")

    parsed = message_from_bytes(arrived, policy=policy.SMTP)
    assert parsed.get_content().rstrip("\r\n") == text  # type: ignore[attr-defined]
    assert arrived.isascii()
    assert changes == [ContentChange.CONTENT_CHANGE_QUOTED_PRINTABLE]


async def test_a_five_megabyte_attachment_arrives_whole(world: World) -> None:
    import base64

    data = random.Random(1).randbytes(5_000_000)
    content = (
        HEAD
        + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsee attachment\r\n--b\r\n"
        + b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + base64.encodebytes(data).replace(b"\n", b"\r\n")
        + b"--b--\r\n"
    )

    arrived, changes = await delivered(world, content)

    assert (arrived, changes) == (content, [])


async def test_smtputf8_addresses_reach_a_receiver_that_knows_them(world: World) -> None:
    await delivered(world, HEAD + b"\r\nhello\r\n", "josé@alpha.example")


@pytest.mark.parametrize(
    ("rcpt", "content", "lacks"),
    [
        ("josé@no-smtputf8.example", HEAD + b"\r\nhello\r\n", "SMTPUTF8"),
        (
            "ok@no-8bitmime.example",
            HEAD
            + b'Content-Type: multipart/signed; boundary=b; protocol="x/y"\r\n\r\n--b\r\n'
            + b"Content-Type: text/plain; charset=utf-8\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n--b\r\n"
            + b"Content-Type: x/y\r\n\r\nsignature\r\n--b--\r\n",
            "8BITMIME",
        ),
    ],
)
async def test_a_receiver_without_the_extension_gets_nothing_and_the_log_says_why(
    world: World, rcpt: str, content: bytes, lacks: str
) -> None:
    await world.submit(message(rcpt, content=content))

    entry = await world.until(FAILED)

    assert entry.last_reply.failure == FailureKind.FAILURE_KIND_EXTENSION_MISSING
    assert lacks in entry.last_reply.text
    assert not world.receiver.journal.messages


async def test_multipart_signed_travels_as_it_is_where_8bitmime_is_known(world: World) -> None:
    content = (
        HEAD
        + b'Content-Type: multipart/signed; boundary=b; protocol="x/y"\r\n\r\n--b\r\n'
        + b"Content-Type: text/plain; charset=utf-8\r\n\r\nGr\xc3\xbc\xc3\x9fe\r\n--b\r\n"
        + b"Content-Type: x/y\r\n\r\nsignature\r\n--b--\r\n"
    )

    assert await delivered(world, content) == (content, [])
