"""What is reported after a final status changes nothing, and is counted."""

from __future__ import annotations

from emta.feedback.v1.feedback_service_pb2 import RecordOutcomesRequest
from emta.feedback.v1.log_pb2 import LogEffect, LogStatus
from tests.e2e.conftest import World, message
from tests.support.outcomes import item, outcome


async def test_a_late_success_does_not_revive_a_failed_message(world: World) -> None:
    await world.submit(message("user-unknown@alpha.example"))
    await world.until(LogStatus.LOG_STATUS_FAILED)

    late = RecordOutcomesRequest(producer="relay/s00", items=[item(outcome("sent", 3))])
    answer = await world.client._feedback.RecordOutcomes(late)

    assert answer.results[0].recorded.effect == LogEffect.LOG_EFFECT_CONFLICT
    assert (await world.entry()).status == LogStatus.LOG_STATUS_FAILED
    figures = await world.client.kpis("d1")
    assert (figures.sent, figures.failed, figures.conflicts) == (0, 1, 1)


async def test_a_late_soft_bounce_does_not_touch_a_sent_message(world: World) -> None:
    await world.submit(message("ok@alpha.example"))
    before = await world.until(LogStatus.LOG_STATUS_SENT)

    late = RecordOutcomesRequest(producer="relay/s00", items=[item(outcome("deferral", 3))])
    await world.client._feedback.RecordOutcomes(late)

    assert await world.entry() == before
    assert (await world.client.kpis("d1")).success_percent == 100
