"""Requalification over real gRPC and a real store."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from emta.bounce.v1.qualification_pb2 import BounceCode, FailureReason, FailureType, Qualification
from emta.channel import connect
from emta.client import Client
from emta.feedback.v1.feedback_service_pb2 import (
    RecordOutcomesItem,
    RecordOutcomesRequest,
    RecordOutcomesResponse,
)
from emta.feedback.v1.log_pb2 import LogEffect, LogStatus
from emta.feedback.v1.requalify_service_pb2 import (
    ListRequalificationsRequest,
    RequalifyOutcomesRequest,
    RequalifyOutcomesResponse,
)
from emta.feedback.v1.requalify_service_pb2_grpc import RequalifyServiceStub
from emta.problems import Problem
from services.feedback.app import running
from services.feedback.settings import FeedbackSettings
from tests.support.clock import START_MS, ManualClock
from tests.support.outcomes import item, outcome

HOUR_MS = 3_600_000
MEANT = {
    "type": "FAILURE_TYPE_SOFT",
    "reason": "FAILURE_REASON_MAILBOX_FULL",
    "bounce_code": "BOUNCE_CODE_MAILBOX_FULL",
}
FAILED = LogStatus.LOG_STATUS_FAILED
TAKEN = LogStatus.LOG_STATUS_TAKEN_INTO_ACCOUNT


async def record(client: Client, *items: RecordOutcomesItem) -> RecordOutcomesResponse:
    return await client._feedback.RecordOutcomes(RecordOutcomesRequest(producer="relay/s00", items=items))


def failed(message: str, *, delivery: str = "d1", after_s: float = 0) -> list[RecordOutcomesItem]:
    """A message that was taken and failed at once, hours before its validity ends."""
    taken = outcome("taken_into_account", 1, message=message, delivery=delivery)
    taken.taken_into_account.deadline_time.FromMilliseconds(START_MS + 84 * HOUR_MS)
    failure = outcome("failure", 2, message=message, delivery=delivery, after_s=after_s)
    return [item(taken), item(failure)]


def request(*, dry_run: bool = False, hours: float = 1, **fields: Any) -> RequalifyOutcomesRequest:
    wanted = {"domains": ["b.example"]} | fields.pop("filter", {})
    asked = RequalifyOutcomesRequest(
        filter=wanted, dry_run=dry_run, actor="anna", comment="b.example lost its mailboxes", **fields
    )
    asked.filter.from_time.FromMilliseconds(START_MS)
    asked.filter.to_time.FromMilliseconds(START_MS + round(hours * HOUR_MS))
    return asked


async def requalify(client: Client, asked: RequalifyOutcomesRequest) -> list[RequalifyOutcomesResponse]:
    return [answer async for answer in client.requalify(asked)]


def total(answers: list[RequalifyOutcomesResponse], field: str) -> int:
    return sum(getattr(answer, field) for answer in answers)


async def test_a_dry_run_tells_what_it_would_correct_and_changes_nothing(client: Client) -> None:
    await record(client, *failed("m1"), *failed("m2"), *failed("m3", delivery="d2"))
    before = await client.kpis("d1")

    answers = await requalify(client, request(dry_run=True))

    assert (total(answers, "matched"), total(answers, "corrected")) == (3, 0)
    assert total(answers, "resubmittable") == 3
    groups = [(g.delivery_id, g.recipient_domain, g.count) for a in answers for g in a.groups]
    assert groups == [("d1", "b.example", 2), ("d2", "b.example", 1)]
    samples = [(m.message_id, m.reply.text, m.position) for a in answers for m in a.matches]
    assert samples == [("m1", "unknown", 2), ("m2", "unknown", 4), ("m3", "unknown", 6)]
    assert [run async for run in client.requalifications()] == []
    after = await client.kpis("d1")
    assert (after.failures, after.compat) == (before.failures, before.compat)


async def test_a_correction_is_a_new_event_and_the_figures_follow(client: Client) -> None:
    await record(client, *failed("m1"))
    assert (await client.kpis("d1")).compat.hard == 1

    await requalify(client, request())

    (row,) = [row async for row in client.logs("d1")]
    assert (row.status, row.requalified) == (FAILED, True)
    assert row.failure_type == FailureType.FAILURE_TYPE_IGNORED
    assert row.failure_reason == FailureReason.FAILURE_REASON_UNREACHABLE
    assert row.campaign_reason == 3
    figures = await client.kpis("d1")
    assert (figures.failed, figures.requalified) == (1, 1)
    assert (figures.compat.hard, figures.compat.soft) == (0, 1)
    assert [(f.type, f.count) for f in figures.failures] == [(FailureType.FAILURE_TYPE_IGNORED, 1)]
    assert not figures.HasField("success_percent")


async def test_the_stream_tells_campaign_all_it_needs_to_undo_the_quarantine(client: Client) -> None:
    await record(client, *failed("m1", after_s=60))
    (answer, _) = await requalify(client, request())

    events = [event async for event in client.watch("d1", stop_when_done=True)]

    event = events[-1]
    assert (event.position, event.effect) == (3, LogEffect.LOG_EFFECT_APPLIED)
    assert (event.status_before, event.status_after) == (FAILED, FAILED)
    assert event.outcome.recipient == "m1@b.example"
    told = event.outcome.correction
    assert told.corrects == 2
    assert events[told.corrects - 1].outcome.HasField("failure")
    assert (told.was.type, told.was.campaign_reason) == (FailureType.FAILURE_TYPE_HARD, 1)
    assert told.was.bounce_code == BounceCode.BOUNCE_CODE_INVALID_RECIPIENT
    assert (told.reply.code, told.reply.text) == (550, "unknown")
    assert told.failure_time.ToMilliseconds() == START_MS + 60_000
    assert told.qualification.bounce_code == BounceCode.BOUNCE_CODE_TRANSIENT_FAILURE
    assert (told.actor, told.comment) == ("anna", "b.example lost its mailboxes")
    assert told.requalification_id == answer.requalification_id
    assert not told.HasField("resubmit_until_time")


async def test_running_it_twice_corrects_nothing_twice(client: Client) -> None:
    await record(client, *failed("m1"), *failed("m2"))
    await requalify(client, request())

    again = await requalify(client, request())

    assert (total(again, "matched"), total(again, "corrected")) == (0, 0)
    assert total(again, "corrected_before") == 2
    figures = await client.kpis("d1")
    assert (figures.requalified, figures.conflicts) == (2, 0)


async def test_two_that_run_at_once_correct_each_failure_once(
    settings: FeedbackSettings, clock: ManualClock
) -> None:
    async with (
        running(settings, clock) as one,
        running(settings, clock) as two,
        Client(feedback=one.address) as first,
        Client(feedback=two.address) as second,
    ):
        for start in range(0, 600, 100):
            await record(first, *(i for n in range(start, start + 100) for i in failed(f"m{n}")))

        runs = await asyncio.gather(*(requalify(client, request()) for client in (first, second)))

        assert sum(total(run, "corrected") for run in runs) == 600
        figures = await first.kpis("d1")
        assert (figures.requalified, figures.conflicts, figures.failed) == (600, 0, 600)
        events = [event async for event in first.watch("d1", stop_when_done=True)]
        assert [event.position for event in events] == list(range(1, 1801))


async def test_only_failures_of_the_window_are_corrected(client: Client) -> None:
    times = {"early": -1, "first": 0, "last": 3599, "late": 3600}
    for message, after_s in times.items():
        await record(client, *failed(message, after_s=after_s))

    await requalify(client, request(hours=1))

    rows = {row.message_id: row.requalified async for row in client.logs("d1")}
    assert rows == {"early": False, "first": True, "last": True, "late": False}


async def test_what_is_sent_in_flight_or_of_another_domain_is_left_alone(client: Client) -> None:
    elsewhere = [
        item(outcome("taken_into_account", 1, message="x")),
        item(outcome("failure", 2, message="x")),
    ]
    elsewhere[0].outcome.recipient = "x@c.example"
    sent = [item(outcome("taken_into_account", 1, message="s")), item(outcome("sent", 2, message="s"))]
    waits = [item(outcome("taken_into_account", 1, message="w")), item(outcome("deferral", 2, message="w"))]
    await record(client, *elsewhere, *sent, *waits)

    answers = await requalify(client, request())

    assert total(answers, "examined") == 1
    assert total(answers, "corrected") == 0


async def test_a_bounce_that_came_by_mail_is_found_and_corrected_too(client: Client) -> None:
    await record(client, item(outcome("taken_into_account", 1)), item(outcome("sent", 2)))
    await record(client, item(outcome("async_bounce", after_s=60), "dsn-1"))
    assert (await client.kpis("d1")).failed == 1

    answers = await requalify(client, request())

    assert total(answers, "corrected") == 1
    assert (await client.kpis("d1")).requalified == 1


async def test_a_broken_search_is_resumed_without_loss_and_stays_one_entry(client: Client) -> None:
    for start in range(0, 1200, 300):
        await record(client, *(i for n in range(start, start + 300) for i in failed(f"m{n}")))
    async with connect(client._to_feedback.target) as channel:
        call = RequalifyServiceStub(channel).RequalifyOutcomes(request())
        first = await anext(aiter(call))
        call.cancel()

    rest = request(resume_token=first.resume_token)
    answers = await requalify(client, rest)

    assert 0 < first.corrected < 1200
    assert (first.examined, total(answers, "examined")) == (500, 700)
    assert (await client.kpis("d1")).requalified == 1200
    (run,) = [run async for run in client.requalifications()]
    assert (run.requalification_id, run.HasField("end_time")) == (first.requalification_id, True)


async def test_who_when_and_why_is_listed_the_latest_first(client: Client, clock: ManualClock) -> None:
    await record(client, *failed("m1"))
    await requalify(client, request(allow_resubmit=True))
    clock.advance(60)
    await requalify(client, request())

    later, earlier = [run async for run in client.requalifications()]

    assert (earlier.actor, earlier.comment) == ("anna", "b.example lost its mailboxes")
    assert (earlier.corrected, earlier.resubmittable, later.corrected) == (1, 1, 0)
    assert earlier.filter == request().filter
    assert earlier.start_time.ToMilliseconds() == START_MS
    assert later.start_time.ToMilliseconds() == START_MS + 60_000


async def test_the_list_comes_in_pages(client: Client, clock: ManualClock) -> None:
    for _ in range(3):
        await requalify(client, request())
        clock.advance(1)
    async with connect(client._to_feedback.target) as channel:
        stub = RequalifyServiceStub(channel)
        first = await stub.ListRequalifications(ListRequalificationsRequest(page_size=2))
        rest = await stub.ListRequalifications(
            ListRequalificationsRequest(page_size=2, page_token=first.next_page_token)
        )

    assert (len(first.requalifications), len(rest.requalifications), rest.next_page_token) == (2, 1, "")


async def test_a_meaning_of_the_callers_own_is_taken(client: Client) -> None:
    await record(client, *failed("m1"))

    await requalify(client, request(meaning=MEANT))

    (row,) = [row async for row in client.logs("d1")]
    assert (row.failure_type, row.campaign_reason) == (FailureType.FAILURE_TYPE_SOFT, 5)


async def test_a_new_epoch_begins_when_the_message_is_taken_again(client: Client) -> None:
    await record(client, *failed("m1"))
    await requalify(client, request(allow_resubmit=True))
    taken = item(outcome("taken_into_account", 1, epoch=2, after_s=120), "again/1")

    answer = await record(client, taken, item(outcome("sent", 2, epoch=2, after_s=121), "again/2"))

    effects = [result.recorded.effect for result in answer.results]
    assert effects == [LogEffect.LOG_EFFECT_APPLIED] * 2
    (row,) = [row async for row in client.logs("d1")]
    assert (row.status, row.epoch, row.requalified) == (LogStatus.LOG_STATUS_SENT, 2, False)
    figures = await client.kpis("d1")
    assert (figures.accepted, figures.sent, figures.failed, figures.success_percent) == (1, 1, 0, 100)
    again = await record(client, *failed("m1"), taken)
    assert all(result.recorded.duplicate for result in again.results)


@pytest.mark.parametrize("allow_resubmit", [True, False])
async def test_no_epoch_begins_that_no_correction_opened(client: Client, allow_resubmit: bool) -> None:
    await record(client, *failed("m1"), *failed("m2", after_s=2 * 3600))
    await requalify(client, request(allow_resubmit=allow_resubmit))
    messages = ["m2"] if allow_resubmit else ["m1", "m2"]

    answer = await record(
        client,
        *(item(outcome("taken_into_account", 1, epoch=2, message=m), f"{m}/again") for m in messages),
    )

    reasons = {Problem.from_status(result.error).reason for result in answer.results}
    assert reasons == {"OUTCOME_INVALID"}


async def test_a_failure_of_the_new_epoch_can_be_corrected_by_itself(client: Client) -> None:
    await record(client, *failed("m1"))
    await requalify(client, request(allow_resubmit=True))
    await record(
        client,
        item(outcome("taken_into_account", 1, epoch=2), "again/1"),
        item(outcome("failure", 2, epoch=2, after_s=7200), "again/2"),
    )

    first_hour = await requalify(client, request())
    third_hour = await requalify(client, request(hours=3))

    assert (total(first_hour, "matched"), total(first_hour, "corrected_before")) == (0, 0)
    assert total(third_hour, "corrected") == 1
    assert (await client.kpis("d1")).requalified == 1


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"filter": {"domains": []}}, "FILTER_EMPTY"),
        ({"hours": 0}, "WINDOW_INVALID"),
        ({"resume_token": "x"}, "RESUME_TOKEN_INVALID"),
        ({"meaning": Qualification(type=FailureType.FAILURE_TYPE_SOFT)}, "MEANING_INVALID"),
        # A full mailbox condemns no address, and who unsubscribes is no failure (contract 1.2 and 1.3).
        ({"meaning": MEANT | {"type": "FAILURE_TYPE_HARD"}}, "MEANING_INVALID"),
        ({"meaning": MEANT | {"bounce_code": "BOUNCE_CODE_UNSUBSCRIBE"}}, "MEANING_INVALID"),
        ({"meaning": MEANT | {"reason": "FAILURE_REASON_NOT_DEFINED"}}, "MEANING_INVALID"),
        ({"resume_token": "MTowOjA6YWJj"}, "REQUALIFICATION_UNKNOWN"),
    ],
)
async def test_bad_requests_get_a_stable_reason(client: Client, fields: Any, reason: str) -> None:
    with pytest.raises(Problem) as caught:
        await requalify(client, request(**fields))

    assert caught.value.reason == reason


@pytest.mark.parametrize("field", ["actor", "comment"])
async def test_nothing_is_corrected_without_a_name_and_a_why(client: Client, field: str) -> None:
    await record(client, *failed("m1"))
    asked = request()
    asked.ClearField(field)  # type: ignore[arg-type]

    with pytest.raises(Problem) as caught:
        await requalify(client, asked)

    assert (caught.value.code, caught.value.field) == (grpc.StatusCode.INVALID_ARGUMENT, field)
    assert (await client.kpis("d1")).requalified == 0
