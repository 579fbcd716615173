"""Italia Online, 22 to 26 January 2023: mail was put off for days, then refused to shed load."""

from __future__ import annotations

from datetime import datetime

import pytest

from emta.feedback.v1.log_pb2 import LogStatus
from emta.problems import Problem
from tests.e2e.conftest import World, message
from tests.e2e.false_replies import clock_at, provider, requalify, window
from tests.support.clock import ManualClock

PUT_OFF = b"452 requested action aborted: try again later\r\n"
FALSE_REPLY = b"550 <anna@libero.it> recipient rejected\r\n"
DOMAINS = ("libero.it", "virgilio.it", "inwind.it", "iol.it", "blu.it")
SENT, FAILED = LogStatus.LOG_STATUS_SENT, LogStatus.LOG_STATUS_FAILED
REFUSED = (datetime(2023, 1, 26, 7, 0), datetime(2023, 1, 26, 13, 0))


@pytest.fixture
def clock() -> ManualClock:
    return clock_at(2023, 1, 26, 6, 0)


async def test_what_healed_by_itself_is_left_alone_and_what_was_refused_is_corrected(world: World) -> None:
    async with provider(world, "smtp-in.libero.it", DOMAINS) as libero:
        libero.replies = {"RCPT": PUT_OFF}
        await world.submit(message("carla@iol.it", "healed"))
        await world.until_retries(1, "healed")
        libero.replies = {}
        world.clock.advance(2 * 3600)
        await world.until(SENT, "healed")
        libero.replies = {"RCPT": FALSE_REPLY}
        await world.submit(message("anna@libero.it", "m1"), message("ben@virgilio.it", "m2"))
        await world.until(FAILED, "m1")
        await world.until(FAILED, "m2")
        libero.replies = {}
        before = await world.client.kpis("d1")

        # Known a week later, when nothing may be sent any more; the addresses can still be saved.
        world.clock.advance(7 * 86_400)
        wanted = window(*REFUSED, domains=DOMAINS, text="recipient rejected")
        done = await requalify(world, wanted, allow_resubmit=True)
        world.clock.advance(60)
        again = await requalify(world, wanted, allow_resubmit=True)

        assert (done.corrected, done.resubmittable) == (2, 0)
        assert (again.corrected, again.corrected_before) == (0, 2)
        figures = await world.client.kpis("d1")
        assert (figures.sent, figures.failed, figures.requalified) == (1, 2, 2)
        assert figures.success_percent == before.success_percent
        assert figures.compat.hard == 0
        entry = await world.entry("m1")
        assert (entry.status, entry.requalified) == (FAILED, True)
        assert not entry.HasField("resubmit_until_time")
        (refusal,) = await world.submit(message("anna@libero.it", "m1", epoch=2))
        assert Problem.from_status(refusal.error).reason == "EPOCH_NOT_OPEN"
        audit = [run async for run in world.client.requalifications()]
        assert [run.corrected for run in audit] == [0, 2]
        assert {run.actor for run in audit} == {"anna@shop.example"}
