"""`python -m services`: everything on one machine, started and stopped in order, losing nothing."""

from __future__ import annotations

import asyncio
import io
import os
import signal
from pathlib import Path

from demo.machine import machine
from emta.relay.v1.message_pb2 import Message
from services.stack import SERVICES
from tests.e2e.conftest import message

SETTINGS = {f"EMTA_{name.upper()}_LISTEN": "127.0.0.1:0" for name in SERVICES}
MESSAGES = 200


def mailing() -> list[Message]:
    return [message(f"ok+{n}@alpha.example", str(n)) for n in range(MESSAGES)]


async def test_real_processes_deliver_and_a_restart_sends_nothing_twice(tmp_path: Path) -> None:
    async with machine(tmp_path, SETTINGS, io.StringIO()) as running, running.client() as client:
        results = [result async for result in client.submit(mailing())]
        assert all(result.WhichOneof("result") == "acceptance" for result in results)
        # Stopped in the middle of the work.
    async with machine(tmp_path, SETTINGS, io.StringIO()) as running, running.client() as client:
        again = [result async for result in client.submit(mailing())]
        await client.until_reported("d1", MESSAGES)
        events = [event async for event in client.watch("d1", stop_when_done=True)]
        figures = await client.kpis("d1")

    key = [(result.message_id, result.acceptance.SerializeToString()) for result in results]
    assert key == [(result.message_id, result.acceptance.SerializeToString()) for result in again]
    assert (figures.accepted, figures.sent) == (MESSAGES, MESSAGES)
    assert [event.position for event in events] == list(range(1, 2 * MESSAGES + 1))
    accepted = (tmp_path / "accepted.jsonl").read_text().splitlines()
    assert len(accepted) == MESSAGES


async def test_a_service_that_dies_is_named(tmp_path: Path) -> None:
    log = io.StringIO()
    async with machine(tmp_path, SETTINGS, log) as running:
        dying = asyncio.create_task(running.stack.failure())
        os.kill(running.stack._processes["bounce"].pid, signal.SIGKILL)

        error = await dying

    assert str(error).startswith("bounce has died")
