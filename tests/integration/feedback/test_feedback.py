"""Feedback over real gRPC and a real store."""

from __future__ import annotations

import asyncio

import grpc
import pytest

from emta.channel import connect
from emta.client import Client
from emta.feedback.v1.feedback_service_pb2 import (
    GetDeliveryKpisRequest,
    ListLogsRequest,
    RecordOutcomesItem,
    RecordOutcomesRequest,
    RecordOutcomesResponse,
    WatchLogsRequest,
)
from emta.feedback.v1.feedback_service_pb2_grpc import FeedbackServiceStub
from emta.feedback.v1.log_pb2 import LogStatus
from emta.problems import Problem
from services.feedback.app import running
from services.feedback.settings import FeedbackSettings
from tests.support.clock import ManualClock
from tests.support.outcomes import item, outcome


async def record(client: Client, *items: RecordOutcomesItem) -> RecordOutcomesResponse:
    return await client._feedback.RecordOutcomes(RecordOutcomesRequest(producer="relay/s00", items=items))


def story(message: str, *kinds: str) -> list[RecordOutcomesItem]:
    return [item(outcome(kind, n, message=message)) for n, kind in enumerate(kinds, start=1)]


async def test_a_story_told_in_one_batch_is_applied_in_order(client: Client) -> None:
    answer = await record(client, *story("m1", "taken_into_account", "deferral", "sent"))

    assert [result.recorded.position for result in answer.results] == [1, 2, 3]
    (entry,) = [entry async for entry in client.logs("d1")]
    assert entry.status == LogStatus.LOG_STATUS_SENT
    assert (await client.kpis("d1")).sent == 1


async def test_what_is_told_twice_counts_once(client: Client) -> None:
    items = [*story("m1", "taken_into_account", "sent"), item(outcome("complaint"), "arf-1")]
    await record(client, *items)

    answer = await record(client, *items)

    assert all(result.recorded.duplicate for result in answer.results)
    figures = await client.kpis("d1")
    assert (figures.sent, figures.complaints) == (1, 1)


async def test_a_duplicate_names_the_message_that_the_first_was_recorded_for(client: Client) -> None:
    """Whoever finds it by its recipient takes the last message to him, which is another by now."""
    first, again = (item(outcome("complaint", message=message), "arf-1") for message in ("m1", "m2"))
    await record(client, *story("m1", "taken_into_account"), *story("m2", "taken_into_account"), first)

    for batch in ([again], [first, again]):
        answer = await record(client, *batch)
        recorded = [result.recorded for result in answer.results]
        assert [(each.duplicate, each.delivery_id, each.message_id) for each in recorded] == [
            (True, "d1", "m1")
        ] * len(batch)


async def test_outcome_n_waits_for_n_minus_1(client: Client) -> None:
    taken, deferred, sent = story("m1", "taken_into_account", "deferral", "sent")

    answer = await record(client, taken, sent)

    problem = Problem.from_status(answer.results[1].error)
    assert (problem.reason, problem.metadata["expected"]) == ("OUTCOME_OUT_OF_ORDER", "2")
    answer = await record(client, deferred, sent)
    assert [result.WhichOneof("result") for result in answer.results] == ["recorded", "recorded"]


async def test_one_bad_outcome_harms_no_other(client: Client) -> None:
    nothing = item(outcome("sent", 1, message="m2"))
    nothing.outcome.ClearField("event")

    answer = await record(client, nothing, *story("m1", "taken_into_account"))

    assert Problem.from_status(answer.results[0].error).reason == "OUTCOME_INVALID"
    assert answer.results[1].recorded.position == 1


async def test_two_servers_that_record_the_same_at_once_count_it_once(
    settings: FeedbackSettings, clock: ManualClock
) -> None:
    batch = [outcome for n in range(50) for outcome in story(f"m{n}", "taken_into_account", "sent")]
    async with (
        running(settings, clock) as one,
        running(settings, clock) as two,
        Client(feedback=one.address) as first,
        Client(feedback=two.address) as second,
    ):
        await asyncio.gather(*(record(client, *batch) for client in (first, second) * 3))

        figures = await first.kpis("d1")
        events = [event async for event in first.watch("d1", stop_when_done=True)]

    assert (figures.accepted, figures.sent, figures.conflicts) == (50, 50, 0)
    assert [event.position for event in events] == list(range(1, 101))


async def test_a_watcher_resumes_over_a_restart_without_gap_or_repetition(
    settings: FeedbackSettings, clock: ManualClock
) -> None:
    async with running(settings, clock) as server, Client(feedback=server.address) as client:
        await record(client, *story("m1", "taken_into_account", "deferral"))
        seen = []
        async for event in client.watch("d1"):
            seen.append(event)
            if len(seen) == 2:
                break
    async with running(settings, clock) as server, Client(feedback=server.address) as client:
        await record(client, item(outcome("sent", 3)))
        seen += [e async for e in client.watch("d1", cursor=seen[-1].cursor, stop_when_done=True)]

    assert [event.position for event in seen] == [1, 2, 3]
    assert [event.delivery_sent for event in seen] == [0, 0, 1]


async def test_a_delivery_is_watched_apart_from_the_others(client: Client) -> None:
    await record(client, *story("m1", "taken_into_account", "sent"))
    await record(client, item(outcome("taken_into_account", 1, delivery="d2", message="x")))
    await record(client, item(outcome("sent", 2, delivery="d2", message="x")))

    positions = [event.position async for event in client.watch("d2", stop_when_done=True)]

    assert positions == [3, 4]


async def test_a_delivery_may_be_opened_before_or_after_its_first_message(client: Client) -> None:
    await record(client, *story("m1", "taken_into_account"))
    assert (await client.kpis("d1")).to_deliver == 1

    await client.open_delivery("d1", label="Spring", to_deliver=3)
    figures = await client.kpis("d1")

    assert (figures.to_deliver, figures.pending, figures.delivery.label) == (3, 2, "Spring")
    assert await client.close_delivery("d1") == 2
    assert await client.close_delivery("d1") == 2
    assert (await client.kpis("d1")).cancelled == 2


async def test_pages_of_the_log_miss_no_row(client: Client) -> None:
    for n in range(7):
        kinds = ("taken_into_account", "failure" if n % 2 else "sent")
        await record(client, *story(f"m{n}", *kinds))
    rows, token = [], ""
    while True:
        request = ListLogsRequest(delivery_id="d1", page_size=2, page_token=token)
        request.statuses.append(LogStatus.LOG_STATUS_SENT)
        page = await client._feedback.ListLogs(request)
        rows += [entry.message_id for entry in page.entries]
        token = page.next_page_token
        if not token:
            break

    assert rows == ["m0", "m2", "m4", "m6"]


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda stub: stub.GetDeliveryKpis(GetDeliveryKpisRequest(delivery_id="no")), "DELIVERY_UNKNOWN"),
        (lambda stub: stub.ListLogs(ListLogsRequest(delivery_id="no")), "DELIVERY_UNKNOWN"),
        (lambda stub: stub.WatchLogs(WatchLogsRequest(delivery_id="no")).read(), "DELIVERY_UNKNOWN"),
        (lambda stub: stub.WatchLogs(WatchLogsRequest(cursor="?")).read(), "CURSOR_INVALID"),
        (
            lambda stub: stub.ListLogs(ListLogsRequest(delivery_id="d", page_token="x")),
            "PAGE_TOKEN_INVALID",
        ),
        (lambda stub: stub.GetDeliveryKpis(GetDeliveryKpisRequest()), "DELIVERY_ID_INVALID"),
        (lambda stub: stub.RecordOutcomes(RecordOutcomesRequest(producer="p")), "BATCH_EMPTY"),
    ],
)
async def test_bad_requests_get_a_stable_reason(client: Client, call: object, reason: str) -> None:
    async with connect(client._to_feedback.target) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(FeedbackServiceStub(channel))  # type: ignore[operator]

    assert Problem.from_rpc_error(caught.value).reason == reason
