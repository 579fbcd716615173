"""The table of people that a message goes to: a CSV file with a header row."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from emta.problems import Problem, invalid
from emta.template import Row

_ADDRESS_COLUMNS = ("email", "address", "recipient")
_ID_COLUMNS = ("id", "message_id")


@dataclass(frozen=True)
class Person:
    """One row: who gets the message, under which message id, and the row's values."""

    message_id: str
    address: str
    row: Row


class People:
    """Reads the file twice: once to check and count it, then row by row.

    The recipient's address is in the column email, address or recipient. The message id is in the
    column id or message_id, else it is the row's number: the same file gives the same ids, so that
    it can be submitted again without sending twice.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.columns: list[str] = []
        self._address_column = ""
        self._id_column: str | None = None
        self.count = 0
        self._check()

    def __iter__(self) -> Iterator[Person]:
        for number, row in self._rows():
            message_id = row[self._id_column] if self._id_column else str(number)
            yield Person(message_id, row[self._address_column].strip(), row)

    def _rows(self) -> Iterator[tuple[int, dict[str, str]]]:
        with self._path.open(encoding="utf-8-sig", newline="") as file:
            for number, row in enumerate(csv.DictReader(file), start=1):
                if None in row or None in row.values():
                    raise self._problem("ROW_INVALID", f"has not as many values as columns in row {number}")
                yield number, row

    def _check(self) -> None:
        try:
            with self._path.open(encoding="utf-8-sig", newline="") as file:
                self.columns = list(csv.DictReader(file).fieldnames or ())
            self._address_column = self._column(_ADDRESS_COLUMNS) or ""
            self._id_column = self._column(_ID_COLUMNS)
            if not self._address_column:
                raise self._problem(
                    "ADDRESS_COLUMN_MISSING",
                    f"has no column named {', '.join(_ADDRESS_COLUMNS[:-1])} or {_ADDRESS_COLUMNS[-1]}; "
                    f"it has {', '.join(map(repr, self.columns)) or 'none'}",
                )
            self._check_rows()
        except UnicodeDecodeError:
            raise self._problem("ENCODING_INVALID", "is not UTF-8") from None
        except csv.Error as error:
            raise self._problem("CSV_INVALID", f"is no CSV: {error}") from None

    def _check_rows(self) -> None:
        seen: set[str] = set()
        for person in self:
            self.count += 1
            if not person.address:
                raise self._problem("ADDRESS_EMPTY", f"has no address in row {self.count}")
            if self._id_column:
                if person.message_id in seen:
                    raise self._problem(
                        "ID_REPEATED", f"has id {person.message_id} again in row {self.count}"
                    )
                seen.add(person.message_id)
        if not self.count:
            raise self._problem("NO_ROWS", "has no rows")

    def _column(self, names: tuple[str, ...]) -> str | None:
        return next((column for column in self.columns if column.strip().lower() in names), None)

    def _problem(self, reason: str, message: str) -> Problem:
        return invalid("--recipients", reason, f"{self._path.name} {message}")
