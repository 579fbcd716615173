from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from emta.client import Client
from services.chassis.settings import load_settings
from services.feedback.app import running
from services.feedback.settings import FeedbackSettings
from tests.support.clock import ManualClock


@pytest.fixture
def settings(store: Redis, store_url: str) -> FeedbackSettings:
    environ = {"EMTA_FEEDBACK_REDIS_URL": store_url, "EMTA_FEEDBACK_LISTEN": "127.0.0.1:0"}
    return load_settings(FeedbackSettings, environ)


@pytest.fixture
async def client(settings: FeedbackSettings, clock: ManualClock) -> AsyncIterator[Client]:
    async with running(settings, clock) as server, Client(feedback=server.address) as client:
        yield client
