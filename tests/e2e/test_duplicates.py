"""A message submitted again is not sent again."""

from __future__ import annotations

import asyncio

from emta.feedback.v1.log_pb2 import LogStatus
from tests.e2e.conftest import World, message


async def test_a_hundred_at_once_are_one_delivery_with_one_answer(world: World) -> None:
    given = message("ok@alpha.example")

    results = await asyncio.gather(*(world.submit(given) for _ in range(100)))
    await world.until(LogStatus.LOG_STATUS_SENT)
    again = await world.submit(given)

    answers = {result.SerializeToString(deterministic=True) for (result,) in [*results, again]}
    assert len(answers) == 1
    assert len(world.receiver.journal.accepted("ok@alpha.example")) == 1
    assert (await world.client.kpis("d1")).accepted == 1


async def test_the_same_id_in_another_delivery_is_another_message(world: World) -> None:
    await world.submit(message("ok@alpha.example"), message("ok@alpha.example", delivery_id="d2"))

    await world.until(LogStatus.LOG_STATUS_SENT)
    await world.until(LogStatus.LOG_STATUS_SENT, delivery="d2")

    assert len(world.receiver.journal.accepted("ok@alpha.example")) == 2
