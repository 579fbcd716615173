"""Messages and replies that earlier versions got wrong."""

from __future__ import annotations

import random
from base64 import b64decode

import pytest

from emta.bounce.v1.qualification_pb2 import Disposition, Qualification
from emta.problems import Problem
from emta.relay.v1.message_pb2 import ContentChange
from services.relay.envelope import parse_mailbox
from services.relay.message import Normalized, normalize
from services.relay.retry import next_attempt

FIELDS = (
    b"From: a@x.test\r\nDate: Mon, 23 Nov 2026 22:00:00 +0000\r\nMessage-ID: <a@b>\r\nMIME-Version: 1.0\r\n"
)
CAP_MS = 302_400_000


def normalized(content: bytes) -> Normalized:
    return normalize(content, now_ms=0, message_id=lambda: "<u@d.test>")


@pytest.mark.parametrize("address", ["jos\u00e9@x.test", "\u4e2d\u6587@x.test"])
def test_a_utf8_local_part_is_accepted_and_flagged(address: str) -> None:
    assert parse_mailbox(address, "rcpt_to").needs_smtputf8


def test_a_no_break_space_is_refused() -> None:
    with pytest.raises(Problem):
        parse_mailbox("a\u00a0b@x.test", "rcpt_to")


def test_base64_that_cannot_be_decoded_whole_is_refused_or_kept_whole() -> None:
    head = FIELDS + b"Content-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    with pytest.raises(Problem):
        normalized(head + b"QQ==" * 300 + b"\r\n")


@pytest.mark.parametrize("label", [b"base64 (wrapped)", b"(x) base64"])
def test_an_encoding_with_a_comment_is_understood(label: bytes) -> None:
    head = FIELDS + b"Content-Type: text/plain\r\nContent-Transfer-Encoding: %b\r\n\r\n" % label
    result = normalized(head + b"QUJD" * 300 + b"\r\n")
    header, _, body = result.content.partition(b"\r\n\r\n")
    assert b"base64" in header
    assert b64decode(body) == b"ABC" * 300


def test_a_part_in_an_unknown_encoding_is_not_relabelled() -> None:
    head = FIELDS + b"Content-Type: text/plain\r\nContent-Transfer-Encoding: x-uuencode\r\n\r\n"
    with pytest.raises(Problem):
        normalized(head + b"\xc3\xa9\r\n")


def test_an_rfc2231_boundary_beyond_latin1_is_refused_not_a_crash() -> None:
    head = FIELDS + b"Content-Type: multipart/mixed; boundary*=utf-8''%E2%82%AC\r\n\r\n"
    with pytest.raises(Problem):
        normalized(head + b"--x\r\n\r\n\xc3\xa9\r\n")


def test_encoded_carriage_returns_do_not_make_long_lines() -> None:
    head = FIELDS + b"Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    result = normalized(head + b"=0D" * 400 + b"\r\n")
    assert max(map(len, result.content.split(b"\r\n"))) <= 998


def test_only_one_try_lies_in_the_last_two_percent_when_the_schedule_does_not_fit() -> None:
    meaning = Qualification(disposition=Disposition.DISPOSITION_RETRY)
    for seed in range(50):
        random_source, now, failed, late = random.Random(seed), 0, 1, 0
        while now < CAP_MS:
            now = next_attempt(
                meaning,
                now_ms=now,
                accepted_ms=0,
                deadline_ms=CAP_MS,
                failed_attempts=failed,
                base_ms=300_000,
                jitter=random_source.random(),
            ).at_ms
            failed += 1
            late += CAP_MS * 0.98 <= now < CAP_MS
        assert late == 1, f"seed {seed}: {late} tries"


def test_a_short_stated_wait_does_not_switch_the_backoff_off() -> None:
    meaning = Qualification(disposition=Disposition.DISPOSITION_RETRY)
    meaning.wait_hint.FromSeconds(60)
    decision = next_attempt(
        meaning,
        now_ms=0,
        accepted_ms=0,
        deadline_ms=CAP_MS,
        failed_attempts=10,
        base_ms=300_000,
        jitter=0.5,
    )
    assert decision.at_ms >= 3_600_000


def test_a_plain_text_that_quotes_a_binary_label_is_not_encoded() -> None:
    content = (FIELDS + b"\r\nContent-Transfer-Encoding: binary\r\n").replace(b"\r\n", b"\n")
    assert normalized(content).changes == (ContentChange.CONTENT_CHANGE_LINE_ENDS,)


def test_a_multipart_labelled_binary_with_text_parts_only_is_accepted() -> None:
    content = (
        FIELDS + b"Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: binary\r\n"
        b"\r\n--b\r\n\r\nx\r\n--b--\r\n"
    )
    normalized(content.replace(b"\r\n", b"\n"))


@pytest.mark.parametrize("subject", [b"x\r\n \r\n", b"x\x0bBcc: e@y.test\r\n", b"x\x1b[2J\r\n"])
def test_ambiguous_header_fields_are_refused(subject: bytes) -> None:
    with pytest.raises(Problem):
        normalized(FIELDS + b"Subject: " + subject + b"\r\nbody\r\n")


@pytest.mark.parametrize("value", [b"a@b.test, " * 150, b"Ren\xe9 <r@b.test>"])
def test_a_bcc_is_removed_whatever_it_holds(value: bytes) -> None:
    result = normalized(FIELDS + b"Bcc: " + value + b"\r\n\r\nbody\r\n")
    assert result.changes == (ContentChange.CONTENT_CHANGE_BCC_REMOVED,)


def test_what_is_added_to_a_message_without_body_is_listed() -> None:
    result = normalized(FIELDS)
    assert (result.content == FIELDS) == (result.changes == ())


def test_an_empty_part_stays_as_it_is() -> None:
    head = FIELDS + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    result = normalized(head + b"--b\r\n--b\r\n\r\n\xc3\xa9\r\n--b--\r\n")
    assert b"--b\r\n--b\r\n" in result.content
