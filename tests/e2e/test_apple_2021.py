"""Apple, 26 April 2021: for six hours no user record was found. Repaired with the command `emta`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from emta.feedback.v1.log_pb2 import LogStatus
from tests.e2e.command import emta
from tests.e2e.conftest import World, message
from tests.e2e.false_replies import clock_at, provider
from tests.support.clock import ManualClock

FALSE_REPLY = b"550 5.1.1 <x@icloud.com>: user lookup success but no user record found\r\n"
DOMAINS = ("icloud.com", "me.com", "mac.com")
SEARCH = (
    "requalify",
    "--text",
    "user lookup success",
    "--from",
    "2021-04-26T11:00",
    "--to",
    "2021-04-26T17:00",
)
ALL = (*SEARCH, *(part for domain in DOMAINS for part in ("--domain", domain)))


@pytest.fixture
def clock() -> ManualClock:
    return clock_at(2021, 4, 26, 14, 0)


async def test_an_operator_looks_first_and_corrects_then(world: World, tmp_path: Path) -> None:
    async with provider(world, "mx01.mail.icloud.com", DOMAINS) as apple:
        apple.replies = {"RCPT": FALSE_REPLY}
        await world.submit(*(message(f"anna@{domain}", f"m{n}") for n, domain in enumerate(DOMAINS)))
        for n in range(len(DOMAINS)):
            await world.until(LogStatus.LOG_STATUS_FAILED, f"m{n}")
        # Six hours later a mailbox that is gone in truth, by the same words.
        world.clock.advance(6 * 3600)
        await world.submit(message("gone@icloud.com", "m9"))
        await world.until(LogStatus.LOG_STATUS_FAILED, "m9")

    code, out, err = await emta(world, tmp_path, *ALL)

    assert (code, err) == (0, "")
    assert "3 of 3 failures match; still within their validity: 3." in out
    assert all(domain in out for domain in DOMAINS)
    assert "Hard / User unknown" in out
    assert "Nothing was changed." in out
    assert (await world.client.kpis("d1")).compat.hard == 4

    why = ("--apply", "--why", "Apple lost its user records", "--who", "anna")
    code, out, err = await emta(world, tmp_path, *ALL, *why)

    assert (code, err) == (0, "")
    assert "3 corrected." in out
    figures = await world.client.kpis("d1")
    assert (figures.compat.hard, figures.compat.soft, figures.requalified) == (1, 3, 3)
    _, out, _ = await emta(world, tmp_path, *ALL)
    assert "0 of 3 failures match" in out
    assert "3 more were corrected before." in out
    _, out, _ = await emta(world, tmp_path, "kpis", "d1")
    assert "3 failures were requalified" in out
    _, out, _ = await emta(world, tmp_path, "log", "d1", "--message", "m0")
    assert "Failed, requalified" in out
    _, out, _ = await emta(world, tmp_path, "requalifications", "--json")
    (entry,) = [json.loads(line)["requalification"] for line in out.splitlines()]
    assert (entry["actor"], entry["comment"], entry["corrected"]) == (
        "anna",
        "Apple lost its user records",
        3,
    )


async def test_machines_get_every_match_in_json_lines(world: World, tmp_path: Path) -> None:
    async with provider(world, "mx01.mail.icloud.com", DOMAINS) as apple:
        apple.replies = {"RCPT": FALSE_REPLY}
        await world.submit(message("anna@me.com"))
        await world.until(LogStatus.LOG_STATUS_FAILED)

    code, out, _ = await emta(world, tmp_path, *ALL, "--json")

    matches = [match for line in out.splitlines() for match in json.loads(line)["answer"]["matches"]]
    assert (code, [match["recipient"] for match in matches]) == (0, ["anna@me.com"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--domain", "me.com", "--from", "yesterday"), "--from yesterday"),
        (("--domain", "me.com", "--from", "2021-04-26", "--apply"), "--why"),
        (("--domain", "a..b", "--from", "2021-04-26", "--to", "2021-04-27"), "FILTER_INVALID"),
        (("--from", "2021-04-26", "--to", "2021-04-27"), "--delivery: say at least one"),
        (("--from", "2021-04-26", "--to", "2021-04-25", "--code", "10"), "WINDOW_INVALID"),
        (("--from", "2021-04-26", "--to", "2021-04-27", "--code", "11"), "FILTER_INVALID"),
    ],
)
async def test_bad_input_is_one_line_and_exit_code_2(
    world: World, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    code, out, err = await emta(world, tmp_path, "requalify", *arguments)

    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err
