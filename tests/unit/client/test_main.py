"""What `emta` says before any service is asked."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from emta.cli import main

SEND = ("send", "--delivery", "spring", "--eml", "message.eml", "--recipients", "people.csv")


def said(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> tuple[int | str | None, str, str]:
    monkeypatch.setattr("sys.argv", ["emta", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    out, err = capsys.readouterr()
    return stopped.value.code, out, err


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("send",), "Missing option '--delivery' (see emta send --help)"),
        (("incidents", "show"), "Missing argument 'name' (see emta incidents show --help)"),
        (("bogus",), "No such command 'bogus' (see emta --help)"),
        (SEND, "Invalid value for '--eml': file 'message.eml' does not exist (see emta send --help)"),
    ],
)
def test_wrong_usage_is_one_line_too(
    arguments: tuple[str, ...],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert said(arguments, monkeypatch, capsys) == (2, "", f"emta: {line}\n")


def test_a_file_that_cannot_be_opened_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("message.eml").write_text("From: news@shop.example\n\nHello\n")
    with socket.socket(socket.AF_UNIX) as there:
        there.bind("people.csv")
        code, _, err = said(SEND, monkeypatch, capsys)

    assert (code, err) == (2, "emta: people.csv: No such device or address\n")


def test_the_version_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = said(("--version",), monkeypatch, capsys)

    assert code == 0
    assert re.fullmatch(r"emta \d+\.\d+\.\d+\n", out)


def test_alone_it_lists_its_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = said((), monkeypatch, capsys)

    assert code == 2
    assert "qualifications" in err


@pytest.mark.parametrize("group", [(), ("incidents",), ("qualifications",)])
def test_the_list_of_commands_cuts_off_no_sentence(
    group: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = said((*group, "--help"), monkeypatch, capsys)

    assert code in (0, None)
    assert "..." not in out.partition("Commands:")[2]
