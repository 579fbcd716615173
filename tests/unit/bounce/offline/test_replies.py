"""`python -m services.bounce qualify` and `try`: JSON lines in, JSON lines out."""

import io
import json
import sys
from pathlib import Path

import pytest

from emta.bounce.v1.smtp_reply_pb2 import SmtpPhase
from services.bounce.offline import replies, trial
from services.bounce.offline.replies import reply_of
from tests.unit.bounce.rules import rule

OUTAGE = rule(
    "ours.outage",
    provider="google",
    text="does not exist",
    bounce_code=20,
    cause="busy",
    scope="site",
    samples=["[rcpt unspecified aspmx.l.google.com] 550 5.1.1 The account does not exist"],
)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EMTA_BOUNCE_RULES", raising=False)


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Standard input."""
    lines = io.StringIO()
    monkeypatch.setattr("sys.stdin", lines)
    return lines


def give(given: io.StringIO, *rows: object) -> None:
    given.write("".join(json.dumps(row) + "\n" for row in rows))
    given.seek(0)


def test_each_line_is_answered(given: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    give(
        given,
        {"id": "a", "code": 550, "enhanced": "5.1.1", "text": "User unknown", "phase": "rcpt", "mx": None},
        {"id": 2, "text": "452 4.2.2 over quota", "provider": "google"},
        {},
    )

    assert replies.main([]) == 0

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        {
            "id": "a",
            "type": "hard",
            "reason": "User unknown",
            "momentum_class": 10,
            "severity": "stop",
            "cause": "mailbox",
            "rule": lines[0]["rule"],
        },
        {
            "id": 2,
            "type": "soft",
            "reason": "Mailbox full",
            "momentum_class": 22,
            "severity": "retry-slow",
            "cause": "mailbox",
            "rule": lines[1]["rule"],
        },
        {
            "id": None,
            "type": "soft",
            "reason": "Not defined",
            "momentum_class": 1,
            "severity": "stop",
            "cause": "unspecified",
            "rule": "undetermined",
        },
    ]


@pytest.mark.parametrize(
    ("row", "code", "enhanced", "text"),
    [
        ({"text": "550-5.1.1 No such\n550 5.1.1 user"}, 550, "5.1.1", "No such\nuser"),
        ({"text": "550 5.1.1 <a>: unknown", "code": 550}, 550, "5.1.1", "<a>: unknown"),
        ({"text": "#5.1.1 unknown", "code": 550}, 550, "5.1.1", "unknown"),
        ({"text": "5.1.1 unknown", "code": 550, "enhanced": "5.0.0"}, 550, "5.0.0", "5.1.1 unknown"),
        ({"text": "550 unknown", "code": 554}, 554, "", "550 unknown"),
        ({"text": "550"}, 550, "", ""),
        ({"text": "5500 pieces"}, 0, "", "5500 pieces"),
        ({"text": None, "code": None, "phase": "unknown"}, 0, "", ""),
    ],
)
def test_codes_are_taken_from_the_start_of_the_text(
    row: dict[str, object], code: int, enhanced: str, text: str
) -> None:
    reply = reply_of(row)

    assert (reply.code, reply.enhanced_code, reply.text) == (code, enhanced, text)


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"code": "550"}, 550),
        ({"code": " 550 "}, 550),
        ({"code": 550.0}, 550),
        ({"code": ""}, 0),
        ({"code": 0}, 0),
        ({"code": 5500}, 0),
        ({"code": -1}, 0),
        ({"code": 1000, "text": "550 5.1.1 User unknown"}, 550),
    ],
)
def test_a_code_is_read_however_it_is_written_and_one_that_is_none_is_left_out(
    row: dict[str, object], code: int
) -> None:
    assert reply_of(row).code == code


@pytest.mark.parametrize(
    ("phase", "name"),
    [
        ("rcpt", "RCPT"),
        ("RCPT TO", "RCPT"),
        ("mail_from", "MAIL"),
        ("banner", "CONNECT"),
        ("greeting", "CONNECT"),
        ("helo", "EHLO"),
        ("data", "DATA"),
        ("eom", "DOT"),
        ("End-of-Data", "DOT"),
        ("unknown", "UNSPECIFIED"),
        ("auth", "UNSPECIFIED"),
        ("rset", "UNSPECIFIED"),
        ("", "UNSPECIFIED"),
        (None, "UNSPECIFIED"),
        (7, "UNSPECIFIED"),
    ],
)
def test_a_phase_has_many_names_and_one_that_is_not_known_counts_for_nothing(
    phase: object, name: str
) -> None:
    assert SmtpPhase.Name(reply_of({"phase": phase}).phase) == f"SMTP_PHASE_{name}"


@pytest.mark.parametrize("name", [1.5, True, ["a", {"b": None}], {"batch": 7, "row": 1}])
def test_whatever_the_id_is_the_answer_has_it(
    name: object, given: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    give(given, {"id": name, "text": "550 5.1.1 User unknown"})

    assert replies.main([]) == 0

    line = json.loads(capsys.readouterr().out)
    assert (line["id"], line["reason"]) == (name, "User unknown")


@pytest.mark.parametrize(
    ("line", "name", "complaint"),
    [
        ("{", None, "not JSON"),
        ("[" * 100_000, None, "not JSON"),
        ("[]", None, "not a JSON object"),
        ('{"id": "b", "code": true}', "b", "code is not a number"),
        ('{"id": "b", "code": "x"}', "b", "code is not a number"),
        ('{"id": "b", "code": 550.5}', "b", "code is not a number"),
        ('{"id": 4.5, "text": 5}', 4.5, "text is not a string"),
    ],
)
def test_a_bad_line_costs_no_other_its_answer(
    line: str, name: object, complaint: str, given: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    given.write(f'{{"id": "a"}}\n\n{line}\n{{"id": "c", "text": "550 5.1.1 User unknown"}}\n')
    given.seek(0)

    assert replies.main([]) == 2

    said = capsys.readouterr()
    first, bad, last = map(json.loads, said.out.splitlines())
    assert bad == {"id": name, "line": 3, "error": complaint}
    assert (first["id"], last["id"], last["reason"]) == ("a", "c", "User unknown")
    assert said.err == "bounce qualify: lines that are no replies: 1\n"


def test_what_no_encoding_knows_is_no_error(given: io.StringIO, capsys: pytest.CaptureFixture[str]) -> None:
    given.write('{"id": "\\ud800", "text": "\\udcff unknown"}\n')
    given.seek(0)

    assert replies.main([]) == 0

    assert json.loads(capsys.readouterr().out)["id"] == "\ud800"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_octets_are_read_as_utf_8(
    mark: bytes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = mark + b'{"id": 1, "text": "550 5.1.1 User \xff unknown"}\r\n'
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(line), "ascii"))

    assert replies.main([]) == 0

    assert json.loads(capsys.readouterr().out)["reason"] == "User unknown"


def test_without_standard_input_it_ends_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", None)

    assert replies.main([]) == 2

    assert capsys.readouterr().err == "bounce qualify: standard input is closed\n"


def test_try_shows_what_would_change(
    tmp_path: Path, given: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "outage.toml").write_text(OUTAGE)
    text = "550 5.1.1 The account that you tried to reach does not exist"
    give(
        given,
        {"id": "gmail", "text": text, "mx": "aspmx.l.google.com"},
        {"id": "other", "text": text, "mx": "mx.other.example"},
        {"id": "full", "text": "552 5.2.2 over quota", "mx": "aspmx.l.google.com"},
    )

    assert trial.main([str(tmp_path / "outage.toml")]) == 0

    printed = capsys.readouterr()
    (change,) = [json.loads(line) for line in printed.out.splitlines()]
    assert (change["id"], change["before"]["type"], change["after"]["type"]) == ("gmail", "hard", "soft")
    assert change["after"]["rule"] == "ours.outage"
    assert "1 hard User unknown -> soft Unreachable" in printed.err
    assert "1 of 3 replies would change" in printed.err


def test_try_tells_of_an_override_that_takes_much_else(
    tmp_path: Path, given: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    wide = rule("ours.wide", text="[a-z]", samples=["550 a"], not_samples=["550 1"])
    (tmp_path / "wide.toml").write_text(wide)
    give(given, {"text": "550 5.1.1 User unknown"})

    assert trial.main([str(tmp_path / "wide.toml")]) == 0

    assert "warning: wide.toml:1: rule ours.wide: takes" in capsys.readouterr().err


def test_try_compares_with_what_is_in_force(
    tmp_path: Path,
    given: io.StringIO,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "outage.toml").write_text(OUTAGE)
    monkeypatch.setenv("EMTA_BOUNCE_RULES", str(tmp_path))
    give(given, {"id": "gmail", "text": "550 5.1.1 x does not exist", "mx": "aspmx.l.google.com"})

    assert trial.main([str(tmp_path / "outage.toml")]) == 0

    assert "0 of 1 replies would change" in capsys.readouterr().err


def test_try_goes_on_after_a_bad_line(
    tmp_path: Path, given: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "outage.toml").write_text(OUTAGE)
    give(given, [], {"id": "gmail", "text": "550 5.1.1 x does not exist", "mx": "aspmx.l.google.com"})

    assert trial.main([str(tmp_path / "outage.toml")]) == 2

    said = capsys.readouterr()
    bad, change = map(json.loads, said.out.splitlines())
    assert bad == {"id": None, "line": 1, "error": "not a JSON object"}
    assert change["id"] == "gmail"
    assert "1 of 1 replies would change" in said.err
    assert said.err.endswith("bounce try: lines that are no replies: 1\n")


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        (OUTAGE.replace("provider", "provder"), "x.toml:9: rule ours.outage: unknown key provder"),
        (OUTAGE.replace("does not exist'''\n", "vanished'''\n"), "is taken by"),
    ],
)
def test_try_refuses_what_would_be_refused(
    override: str, complaint: str, tmp_path: Path, given: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.toml").write_text(override)

    assert trial.main([str(tmp_path / "x.toml")]) == 2

    assert complaint in capsys.readouterr().err


def test_try_needs_a_file_that_exists(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert trial.main([str(tmp_path / "none.toml")]) == 2

    assert capsys.readouterr().err == f"bounce try: {tmp_path}/none.toml: No such file or directory\n"
