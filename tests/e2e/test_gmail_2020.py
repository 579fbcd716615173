"""Gmail, December 2020: mailboxes that exist were said not to, Workspace domains' too."""

from __future__ import annotations

from datetime import datetime

import pytest

from emta.bounce.v1.qualification_pb2 import FailureReason, FailureType
from emta.feedback.v1.log_pb2 import LogEvent, LogStatus
from emta.problems import Problem
from tests.e2e.conftest import World, message
from tests.e2e.false_replies import clock_at, provider, requalify, window
from tests.support.clock import ManualClock

FALSE_REPLY = (
    b"550-5.1.1 The email account that you tried to reach does not exist. Please try\r\n"
    b"550-5.1.1 double-checking the recipient's email address for typos or\r\n"
    b"550-5.1.1 unnecessary spaces. Learn more at\r\n"
    b"550 5.1.1  https://support.google.com/mail/?p=NoSuchUser x17si1234567qtr.42 - gsmtp\r\n"
)
MX = "gmail-smtp-in.l.google.com"
SENT, FAILED = LogStatus.LOG_STATUS_SENT, LogStatus.LOG_STATUS_FAILED
TAKEN = LogStatus.LOG_STATUS_TAKEN_INTO_ACCOUNT
DOCUMENTED = (datetime(2020, 12, 14, 11, 55), datetime(2020, 12, 16, 11, 0))


@pytest.fixture
def clock() -> ManualClock:
    return clock_at(2020, 12, 15, 20, 30)


async def outage(world: World) -> None:
    """Two of Google's recipients fail by its error, one of another provider's in truth."""
    await world.client.open_delivery("d1", to_deliver=4)
    await world.submit(
        message("anna@gmail.com", "m1"),
        message("ben@workspace.example", "m2"),
        message("user-unknown@alpha.example", "m3"),
        message("ok@alpha.example", "m4"),
    )
    for name, status in {"m1": FAILED, "m2": FAILED, "m3": FAILED, "m4": SENT}.items():
        await world.until(status, name)


async def test_from_the_false_reply_to_the_corrected_figures(world: World) -> None:
    async with provider(world, MX, ["gmail.com", "workspace.example"]) as google:
        google.replies = {"RCPT": FALSE_REPLY}
        await outage(world)
        wrong = await world.client.kpis("d1")
        assert (wrong.failed, wrong.compat.hard, wrong.compat.soft) == (3, 3, 0)
        events = await world.events()
        (failure,) = [
            event.outcome.failure for event in events if event.status_after == FAILED and is_m1(event)
        ]
        # What later questions need is in the event itself, whatever the rules say by then.
        assert (failure.reply.code, failure.reply.mx_host) == (550, MX)
        assert "that you tried to reach does not exist" in failure.reply.text
        assert "does not exist" in failure.qualification.normalized_text
        assert failure.qualification.rule_id
        last_seen = events[-1].cursor

        # By the provider, whatever the recipient's domain: nothing is changed by looking.
        wanted = window(*DOCUMENTED, mx_hosts=["*.google.com"], text="account that you tried * not exist")
        preview = await requalify(world, wanted, dry_run=True)
        assert {group.recipient_domain for group in preview.groups} == {"gmail.com", "workspace.example"}
        assert (preview.matched, preview.corrected) == (2, 0)
        assert (await world.client.kpis("d1")).compat == wrong.compat

        done = await requalify(world, wanted, allow_resubmit=True)

        assert (done.corrected, done.resubmittable) == (2, 2)
        figures = await world.client.kpis("d1")
        assert (figures.failed, figures.requalified, figures.sent) == (3, 2, 1)
        assert (figures.compat.hard, figures.compat.soft) == (1, 2)
        assert figures.success_percent == 25
        assert not (await world.entry("m3")).requalified

        # Campaign hears of it where it hears of everything, with all it needs to end the quarantine.
        # Failures of several shards are told in no promised order.
        watching = world.client.watch("d1", cursor=last_seen, stop_when_done=True)
        news = sorted([event async for event in watching], key=lambda event: event.outcome.message_id)
        assert [event.outcome.recipient for event in news] == ["anna@gmail.com", "ben@workspace.example"]
        told = news[0].outcome.correction
        assert (told.was.type, told.qualification.type) == (
            FailureType.FAILURE_TYPE_HARD,
            FailureType.FAILURE_TYPE_IGNORED,
        )
        assert told.was.reason == FailureReason.FAILURE_REASON_USER_UNKNOWN
        assert "does not exist" in told.reply.text

        # The messages are still valid: Campaign submits one again, twice for safety, and it arrives once.
        google.replies = {}
        world.clock.advance(3600)
        again = message("anna@gmail.com", "m1", epoch=2)
        (first,) = await world.submit(again)
        (second,) = await world.submit(message("anna@gmail.com", "m1", epoch=2))
        assert first.acceptance == second.acceptance
        assert first.acceptance.deadline_time == told.resubmit_until_time
        entry = await world.until(SENT)
        assert (entry.epoch, len(google.contents)) == (2, 1)
        figures = await world.client.kpis("d1")
        assert (figures.sent, figures.success_percent, figures.requalified) == (2, 50, 1)
        assert figures.compat.soft == 1
        steps = [e.status_after async for e in world.client.watch("d1", stop_when_done=True) if is_m1(e)]
        assert steps == [TAKEN, FAILED, FAILED, TAKEN, SENT]


def is_m1(event: LogEvent) -> bool:
    return event.outcome.message_id == "m1"


async def test_what_nobody_corrected_cannot_be_sent_again(world: World) -> None:
    async with provider(world, MX, ["gmail.com", "workspace.example"]) as google:
        google.replies = {"RCPT": FALSE_REPLY}
        await outage(world)
        wanted = window(*DOCUMENTED, domains=["gmail.com"])
        await requalify(world, wanted, allow_resubmit=True)

        results = await world.submit(
            message("ben@workspace.example", "m2", epoch=2),
            message("ok@alpha.example", "m4", epoch=2),
            message("eve@gmail.com", "m1", epoch=2),
            message("anna@gmail.com", "m1", epoch=3),
        )

        reasons = [Problem.from_status(result.error).reason for result in results]
        assert reasons == ["EPOCH_NOT_OPEN", "EPOCH_NOT_OPEN", "RECIPIENT_CHANGED", "EPOCH_NOT_OPEN"]
        assert not google.contents
