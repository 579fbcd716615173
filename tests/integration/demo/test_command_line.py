"""`python -m demo.receiver`, as a process of its own."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import signal
import sys
from pathlib import Path

import aiosmtplib

from demo.receiver.behaviours import BEHAVIOURS
from demo.receiver.sites import EXAMPLE_DOMAINS
from tests.integration.demo.conftest import MESSAGE


async def _start(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "demo.receiver", *arguments, stdout=asyncio.subprocess.PIPE
    )


async def test_the_list_has_every_domain_and_behaviour() -> None:
    process = await _start("--list")
    output, _ = await process.communicate()

    listed = {line.split()[0] for line in output.decode().splitlines() if line.startswith("  ")}
    assert process.returncode == 0
    assert listed >= {*EXAMPLE_DOMAINS, *BEHAVIOURS, "no-such.example", "tls-broken.example"}


async def test_it_writes_a_journal_and_ends_when_told(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    process = await _start("--journal", str(journal))
    assert process.stdout is not None
    said = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
    match = re.fullmatch(r"name server 127\.0\.0\.1:\d+, mail servers on port (\d+)\n", said)
    assert match is not None

    # The first address of the example zone is alpha.example's.
    async with aiosmtplib.SMTP(
        hostname="127.0.0.2", port=int(match[1]), start_tls=False, timeout=10
    ) as client:
        await client.sendmail(
            "a@shop.example", ["ada@alpha.example", "user-unknown@alpha.example"], MESSAGE
        )
    process.send_signal(signal.SIGTERM)

    assert await asyncio.wait_for(process.wait(), 30) == 0
    refused, accepted = (json.loads(line) for line in journal.read_text().splitlines())
    assert (refused["event"], refused["rcpt"]) == ("refused", "user-unknown@alpha.example")
    assert refused["reply"].startswith("550 5.1.1 ")
    assert (accepted["event"], accepted["rcpt"], accepted["domain"]) == (
        "accepted",
        "ada@alpha.example",
        "alpha.example",
    )
    assert base64.b64decode(accepted["content"]) == MESSAGE
