"""What is recorded is on replicas too, or it is not answered for."""

from __future__ import annotations

import signal
from pathlib import Path

import grpc
import pytest

from emta.client import Client
from services.chassis.settings import load_settings
from services.feedback.app import running
from services.feedback.settings import FeedbackSettings
from tests.integration.feedback.test_feedback import record, story
from tests.support import valkey
from tests.support.clock import ManualClock


async def test_without_its_replica_nothing_is_recorded_for_good(tmp_path: Path, clock: ManualClock) -> None:
    async with (
        valkey.server(tmp_path / "primary") as primary,
        valkey.replica_of(primary, tmp_path / "replica") as replica,
    ):
        environ = {
            "EMTA_FEEDBACK_REDIS_URL": primary.url,
            "EMTA_FEEDBACK_LISTEN": "127.0.0.1:0",
            "EMTA_FEEDBACK_STORE_TIMEOUT_SECONDS": "1",
            "EMTA_FEEDBACK_MIN_REPLICA_ACKS": "1",
        }
        settings = load_settings(FeedbackSettings, environ)
        async with running(settings, clock) as server, Client(feedback=server.address) as client:
            await record(client, *story("m1", "taken_into_account"))
            replica.process.send_signal(signal.SIGSTOP)
            try:
                for _ in range(2):  # what is known already may not be on the replica either
                    with pytest.raises(grpc.aio.AioRpcError, match="replicas"):
                        await record(client, *story("m2", "taken_into_account"))
            finally:
                replica.process.send_signal(signal.SIGCONT)

            answer = await record(client, *story("m2", "taken_into_account"))
            assert answer.results[0].recorded.duplicate
