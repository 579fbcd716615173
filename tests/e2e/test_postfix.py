"""A receiver that is not ours: Debian's Postfix takes 200 messages, Debian's opendkim verifies them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from demo.machine import SENDER_DOMAIN
from demo.receiver.dns_server import DnsServer
from services.relay.message import normalize
from services.signer.keys import load_key
from tests.e2e.conftest import World, message
from tests.support import postfix as debian
from tests.support.postfix import DOMAIN, Postfix

MESSAGES = 200

pytestmark = [
    pytest.mark.debian("postfix", "opendkim"),
    pytest.mark.skipif(os.geteuid() != 0, reason="Postfix and port 53 need root"),
]


@pytest.fixture
async def postfix(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Postfix]:
    async with debian.postfix(tmp_path) as running:
        yield running


@pytest.fixture
def environ(postfix: Postfix) -> dict[str, str]:
    return {"EMTA_RELAY_SMTP_PORT": str(postfix.port), "EMTA_RELAY_COMMAND_TIMEOUT_SECONDS": "20"}


def content(number: int) -> bytes:
    body = {
        0: "plain\r\n",
        1: "..dots\r\n.\r\nmore\r\n",
        2: "8 bit: Grüße, 花子\r\n",
        3: "a long line: " + "x" * 1_200 + "\r\n",
        4: "bare LF\nand CR\rhere\r\n",
    }[number % 5]
    return (
        f"From: Shop <news@{SENDER_DOMAIN}>\r\nTo: all@{DOMAIN}\r\nSubject: Number {number}\r\n"
        f"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{number}@{SENDER_DOMAIN}>\r\n\r\n{body}"
    ).encode()


async def test_postfix_takes_what_we_send_and_opendkim_finds_it_well_signed(
    world: World, postfix: Postfix, keys_dir: Path
) -> None:
    zone = world.receiver.zone
    zone.add(DOMAIN, "MX", f"10 mx.{DOMAIN}.")
    zone.add(f"mx.{DOMAIN}", "A", "127.0.0.1")
    key = load_key(keys_dir / f"s1._domainkey.{SENDER_DOMAIN}.pem", 2048, 0)
    zone.add_txt(f"s1._domainkey.{SENDER_DOMAIN}", key.dns_record)
    dns = DnsServer(zone)
    # opendkim asks port 53 and no other.
    await dns.start(53)
    try:
        await world.submit(*(message(f"all@{DOMAIN}", str(n), content=content(n)) for n in range(MESSAGES)))
        arrived = await postfix.until_delivered(MESSAGES)
    finally:
        await dns.close()

    given = {
        normalize(content(n), now_ms=0, message_id=lambda: "<unused@x.example>").content
        for n in range(MESSAGES)
    }
    unsigned = set()
    for one in arrived:
        head, _, rest = one.partition(b"DKIM-Signature: ")
        assert b"dkim=pass" in head, head.decode()
        lines = rest.split(b"\r\n")
        end = next(n for n, line in enumerate(lines) if n and not line.startswith((b" ", b"\t")))
        unsigned.add(b"\r\n".join(lines[end:]))
    assert unsigned == given
