"""The rows, as the command and the documentation tell them."""

import asyncio
import sys
from pathlib import Path

import pytest

from chaos.rows import ROWS
from chaos.trial import Row

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs/reference/chaos.md").read_text()


async def _finished(*arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "chaos",
        *arguments,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_page_says_what_each_row_does_and_promises(row: Row) -> None:
    assert f"| {row.name} | {row.what} | {row.promise} |" in PAGE


def test_the_suite_has_the_rows_of_the_matrix() -> None:
    assert [row.name for row in ROWS] == [f"F{n}" for n in range(1, 21) if n != 15]


async def test_help_lists_the_rows() -> None:
    code, text = await _finished("--help")

    assert code == 0
    assert all(f"{row.name:<4} {row.what}" in text for row in ROWS)


async def test_a_row_that_does_not_exist_is_bad_input() -> None:
    code, text = await _finished("F99")

    assert code == 2
    assert "there is no row F99" in text
