"""A mailbox file is cut into its mails."""

import io

import pytest

from emta import mbox

FROM = b"From MAILER-DAEMON Mon Nov  2 10:00:00 2026"


def cut(content: bytes, most_octets: int = 1_000) -> list[bytes]:
    return list(mbox.mails(io.BytesIO(content), most_octets))


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_it_is_cut_where_a_mail_begins(end: bytes) -> None:
    mails = [FROM + end + name + end for name in (b"a: 1", b"b: 2")]

    assert cut(end.join(mails)) == [mails[0] + end, mails[1]]


@pytest.mark.parametrize("line", [b"From now on nobody is here.", b">" + FROM])
def test_a_sentence_begins_no_mail(line: bytes) -> None:
    content = FROM + b"\na: 1\n\n" + line + b"\n"

    assert cut(content) == [content]


@pytest.mark.parametrize("content", [b"", b"a: 1\n\n" + FROM + b"\nb: 2\n"])
def test_a_file_that_begins_otherwise_is_one_mail(content: bytes) -> None:
    assert cut(content) == [content]


def test_a_mail_that_is_too_long_costs_no_memory_and_no_other_mail() -> None:
    endless = FROM + b"\n\n" + b"x" * 1_000_000 + b"\n\n"

    first, second = cut(endless + FROM + b"\nb: 2\n")

    assert 1_000 < len(first) < 100_000
    assert second == FROM + b"\nb: 2\n"
