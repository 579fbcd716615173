"""Following a delivery to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from emta.cli import delivery
from emta.client import Client
from emta.feedback.v1.delivery_pb2 import DeliveryKpis
from emta.feedback.v1.log_pb2 import LogEvent
from emta.problems import Problem, not_found, unavailable


class Connection:
    """Answers a question for figures with what is next; the delivery is done when nothing is left."""

    def __init__(self, *answers: DeliveryKpis | Exception) -> None:
        self._answers = list(answers)
        self._done = asyncio.Event()

    async def watch(self, delivery_id: str, **_: Any) -> AsyncIterator[LogEvent]:
        yield LogEvent(position=1)
        await self._done.wait()

    async def kpis(self, delivery_id: str) -> DeliveryKpis:
        answer = self._answers.pop(0)
        if not self._answers:
            self._done.set()
        if isinstance(answer, Exception):
            raise answer
        return answer


async def followed(*answers: DeliveryKpis | Exception) -> None:
    await delivery.follow_in_lines(cast(Client, Connection(*answers)), "spring")


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "_LOOK_SECONDS", 0.0)


async def test_it_goes_on_while_the_figures_cannot_be_had() -> None:
    away = unavailable("STORE_UNAVAILABLE", "the store does not answer")

    await followed(DeliveryKpis(sent=1), away, DeliveryKpis(sent=2))


async def test_it_ends_where_there_is_nothing_to_follow() -> None:
    with pytest.raises(Problem, match="no delivery"):
        await followed(not_found("DELIVERY_UNKNOWN", "there is no delivery spring"), DeliveryKpis())
