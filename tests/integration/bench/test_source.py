"""What the benchmark sends: the size that was asked for, and every link only once."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from email import message_from_bytes, policy

import pytest

from bench.messages import contents, recipient
from tests.integration.bench.test_receiver import receiver


@pytest.mark.parametrize("size", [10_240, 102_400])
@pytest.mark.parametrize("template", [True, False])
def test_messages_have_their_size_and_links_of_their_own(size: int, template: bool) -> None:
    made = list(contents("r", range(30), size, 20, template=template))
    links = [link for content in made for link in re.findall(rb"shop\.example/([0-9a-f]{32})", content)]
    assert len(links) == len(set(links)) == 30 * 20
    for number, content in enumerate(made):
        assert abs(len(content) - size) < size * 0.05
        # It can travel as it is: short lines that end in CRLF, and no dot to stuff.
        lines = content.split(b"\r\n")
        assert max(map(len, lines)) <= 998
        assert not any(b"\n" in line or b"\r" in line or line.startswith(b".") for line in lines)
        assert message_from_bytes(content, policy=policy.SMTP)["To"] == recipient("r", number, 20)


def test_only_a_template_gives_messages_much_in_common() -> None:
    def words(template: bool) -> list[set[bytes]]:
        made = contents("r", range(2), 10_240, 20, template=template)
        return [set(content.split(b"\r\n")) for content in made]

    alike, unlike = words(True), words(False)
    assert len(alike[0] & alike[1]) > 0.6 * len(alike[0])
    assert len(unlike[0] & unlike[1]) < 0.2 * len(unlike[0])


async def test_the_source_hands_every_message_over_by_smtp() -> None:
    async with receiver() as peer:
        source = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.source", "--run", "r", "--messages", "50", "--size", "10240",
            "--domains", "20", "--template", "--smtp", f"127.0.0.1:{peer.ports['smtp']}",
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert source.stdin is not None
        assert source.stdout is not None
        assert await source.stdout.readline() == b'{"ready": 50}\n'
        assert (await peer.stats())["accepted"] == 0
        source.stdin.write(b"\n")
        done = json.loads(await source.stdout.readline())
        source.stdin.close()
        assert await source.wait() == 0
        stats = await peer.stats()
        assert (stats["accepted"], stats["duplicates"], done["refused"]) == (50, 0, 0)
        assert done["began"] < stats["last"] < done["ended"]
