"""Debian's Postfix receives bounces for our return paths and pipes them into `emta inbound`."""

from __future__ import annotations

import asyncio
import os
import smtplib
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from emta.feedback.v1.log_pb2 import LogStatus
from tests.e2e.conftest import World
from tests.e2e.test_way_back import DOMAIN, KEY, RECIPIENT, sent, signed
from tests.support import postfix as debian
from tests.support import returned
from tests.support.eventually import eventually
from tests.support.postfix import Postfix

EMTA = Path(sys.executable).with_name("emta")
USER = "nobody"

pytestmark = [
    pytest.mark.debian("postfix", "opendkim"),
    pytest.mark.skipif(os.geteuid() != 0, reason="Postfix needs root"),
]


@pytest.fixture
def environ() -> dict[str, str]:
    return {"EMTA_RELAY_RETURN_PATH_KEY": KEY, "EMTA_BOUNCE_RETURN_PATH_KEY": KEY}


@pytest.fixture(autouse=True)
def _command_that_another_user_may_run() -> None:
    tried = subprocess.run(["runuser", "-u", USER, "--", EMTA, "--help"], capture_output=True, check=False)
    if tried.returncode:
        pytest.skip(f"{USER}, as whom Postfix runs the command, may not run it from here")


@asynccontextmanager
async def piping(folder: Path, bounce: str) -> AsyncIterator[Postfix]:
    """Postfix, set up as docs/reference/inbound.md says."""
    main = (
        f"transport_maps = inline:{{{DOMAIN}=emta}}\nrelay_domains = {DOMAIN}\nminimal_backoff_time = 1s\n"
    )
    master = (
        f"emta unix - n n - 5 pipe user={USER} argv=/usr/bin/env EMTA_CLIENT_BOUNCE={bounce} "
        f"{EMTA} inbound - --recipient=${{recipient}}\n"
    )
    async with debian.postfix(folder, main, master) as running:
        yield running


def deliver(postfix: Postfix, mail: bytes, to: str) -> None:
    """Have a bounce arrive, from the null sender as bounces are."""
    with smtplib.SMTP("127.0.0.1", postfix.port, local_hostname="mx.b.example") as client:
        client.sendmail("", [to], mail)


async def test_a_bounce_that_postfix_receives_turns_its_message_to_failed(
    world: World, tmp_path: Path
) -> None:
    sender = await sent(world, signed())

    async with piping(tmp_path, world.addresses["bounce"]) as postfix:
        await asyncio.to_thread(deliver, postfix, returned.dsn(RECIPIENT, to=sender), sender)

        await world.until(LogStatus.LOG_STATUS_FAILED)


async def test_while_bounce_is_away_postfix_keeps_the_mail(world: World, tmp_path: Path) -> None:
    sender = await sent(world, signed())

    async with piping(tmp_path, "127.0.0.1:1") as postfix:
        await asyncio.to_thread(deliver, postfix, returned.dsn(RECIPIENT, to=sender), sender)

        log = tmp_path / "postfix.log"

        async def deferred() -> bool:
            text = await asyncio.to_thread(log.read_text)
            return "status=deferred" in text

        await eventually(deferred, "Postfix to keep the mail")

    assert (await world.entry()).status == LogStatus.LOG_STATUS_SENT
