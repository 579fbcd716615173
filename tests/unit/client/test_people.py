"""Reading the table of people."""

from __future__ import annotations

from pathlib import Path

import pytest

from emta.people import People
from emta.problems import Problem


def people(tmp_path: Path, text: str | bytes) -> People:
    path = tmp_path / "people.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return People(path)


def test_rows_are_numbered_where_there_is_no_id(tmp_path: Path) -> None:
    table = people(tmp_path, "Name,Email\nAda,a@b.example\nBob, c@d.example \n")

    assert table.count == 2
    assert [(p.message_id, p.address) for p in table] == [("1", "a@b.example"), ("2", "c@d.example")]


def test_an_id_column_names_the_messages(tmp_path: Path) -> None:
    table = people(tmp_path, "\ufeffid,address\nx7,a@b.example\n")

    assert [person.message_id for person in table] == ["x7"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("name\nAda\n", "ADDRESS_COLUMN_MISSING"),
        ("", "ADDRESS_COLUMN_MISSING"),
        ("email\n", "NO_ROWS"),
        ("email,name\na@b.example\n", "ROW_INVALID"),
        ("email,name\na@b.example,Ada,more\n", "ROW_INVALID"),
        ("email,name\n,Ada\n", "ADDRESS_EMPTY"),
        ("id,email\n1,a@b.example\n1,c@d.example\n", "ID_REPEATED"),
        (b"email,name\na@b.example,\xff\xfe\n", "ENCODING_INVALID"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, text: str | bytes, reason: str) -> None:
    with pytest.raises(Problem) as caught:
        people(tmp_path, text)

    assert caught.value.reason == reason
    assert caught.value.field == "--recipients"


def test_columns_that_are_parted_by_something_else_are_shown(tmp_path: Path) -> None:
    with pytest.raises(Problem, match=r"it has 'email;name'"):
        people(tmp_path, "email;name\na@b.example;Ada\n")
