"""`python -m services.bounce inbound DIR`: a JSON line for each mail in a folder."""

import json
from pathlib import Path
from typing import Any

import pytest

from services.bounce.inbound.entity import MAX_OCTETS
from services.bounce.offline.mails import main
from tests.unit.bounce.inbound.mails import complaint, dsn, mail

FAILED = """\
Final-Recipient: rfc822;{}@shop.example
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 User unknown
"""


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMTA_BOUNCE_RULES", raising=False)


def lines(folder: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    assert main([str(folder)]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_each_file_has_a_line_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.eml").write_bytes(
        mail("Hello", From="anna@shop.example", Subject="Re: Hello", Return_Path="")
    )
    (tmp_path / "b.eml").write_bytes(
        complaint("Feedback-Type: abuse\nOriginal-Rcpt-To: anna@shop.example\n")
    )
    (tmp_path / "a.eml").write_bytes(dsn(FAILED.format("anna")))

    assert lines(tmp_path, capsys) == [
        {
            "file": "a.eml",
            "recipients": [
                {
                    "recipient": "anna@shop.example",
                    "action": "failed",
                    "status": "5.1.1",
                    "reply_code": 550,
                    "type": "hard",
                    "reason": "User unknown",
                    "is_fbl": False,
                    "is_autoreply": False,
                }
            ],
        },
        {
            "file": "b.eml",
            "recipients": [
                {
                    "recipient": "anna@shop.example",
                    "action": "feedback",
                    "status": None,
                    "reply_code": None,
                    "type": "hard",
                    "reason": "Refused",
                    "is_fbl": True,
                    "is_autoreply": False,
                }
            ],
        },
        {"file": "c.eml", "recipients": []},
    ]


def test_a_mailbox_file_holds_several_mails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    separator = b"From MAILER-DAEMON Mon Nov  2 10:00:00 2026\n"
    mails = [separator + dsn(FAILED.format(name)) for name in ("anna", "bert")]
    (tmp_path / "two").write_bytes(b"\n\n".join(mails))

    [row] = lines(tmp_path, capsys)

    assert [each["recipient"] for each in row["recipients"]] == ["anna@shop.example", "bert@shop.example"]  # type: ignore[attr-defined]


MBOX = b"From MAILER-DAEMON Mon Nov  2 10:00:00 2026\n"


def names(row: dict[str, object]) -> list[str]:
    recipients: Any = row["recipients"]
    return [each["recipient"].partition("@")[0] for each in recipients]


def test_a_mailbox_file_may_have_line_ends_of_the_net(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mails = [MBOX + dsn(FAILED.format(name)) + b"\n" for name in ("anna", "bert")]
    (tmp_path / "two").write_bytes(b"\n".join(mails).replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))

    [row] = lines(tmp_path, capsys)

    assert names(row) == ["anna", "bert"]


def test_limits_of_a_mailbox_file_are_those_of_each_mail(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    people = [f"p{number}" for number in range(4)]
    padding = b"\n" + b"x" * (MAX_OCTETS // 2)
    mails = [MBOX + dsn(FAILED.format(name)) + padding for name in people]
    mails.insert(1, MBOX + dsn(FAILED.format("endless")) + padding * 3)
    (tmp_path / "five").write_bytes(b"\n\n".join(mails))

    [row] = lines(tmp_path, capsys)

    assert names(row) == people
    assert row["error"] == "mail 2: over 1,048,576 octets"


def test_a_sentence_that_begins_with_from_is_no_new_mail(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = dsn(FAILED.format("anna")).replace(b"\n\n", b"\n\nFrom now on nobody is here.\n\n", 2)
    (tmp_path / "one").write_bytes(MBOX + said)

    [row] = lines(tmp_path, capsys)

    assert names(row) == ["anna"]


def test_a_file_that_cannot_be_read_loses_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # What even root cannot read from its start.
    (tmp_path / "a").symlink_to("/proc/self/mem")
    (tmp_path / "b").write_bytes(dsn(FAILED.format("anna")))

    assert main([str(tmp_path)]) == 2

    said = capsys.readouterr()
    first, second = map(json.loads, said.out.splitlines())
    assert first == {"file": "a", "recipients": [], "error": "Input/output error"}
    assert names(second) == ["anna"]
    assert said.err == "bounce inbound: a: Input/output error\n"


def test_a_mail_over_a_limit_is_said_and_the_others_are_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a").write_bytes(b"x" * (MAX_OCTETS + 1))
    (tmp_path / "b").write_bytes(dsn(FAILED.format("anna")))

    first, second = lines(tmp_path, capsys)

    assert first == {"file": "a", "recipients": [], "error": "over 1,048,576 octets"}
    assert second["recipients"]


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["/nowhere"]])
def test_bad_arguments_are_said_in_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
