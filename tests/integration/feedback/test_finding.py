"""Messages of any delivery, found by what outsiders know of them."""

from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from emta.client import Client
from emta.feedback.v1.feedback_service_pb2 import (
    FindMessagesRequest,
    MessageName,
    MessageQuery,
    RecordOutcomesItem,
    RecordOutcomesRequest,
)
from emta.feedback.v1.outcome_pb2 import TakenIntoAccount
from emta.problems import Problem
from tests.integration.feedback.test_feedback import record
from tests.support.clock import START_MS, ManualClock
from tests.support.outcomes import item, outcome

DAY = 86_400
NO_TIME = Timestamp(seconds=10**15)


def taken(
    message: str, header_id: str = "", *, delivery: str = "d1", recipient: str = "", after_s: float = 0
) -> RecordOutcomesItem:
    """A message of our own is accepted."""
    told = outcome("taken_into_account", 1, message=message, delivery=delivery, after_s=after_s)
    told.taken_into_account.CopyFrom(TakenIntoAccount(header_message_id=header_id))
    told.recipient = recipient or told.recipient
    return item(told)


async def found(client: Client, **query: Any) -> list[str]:
    """Identifiers of the messages that one query finds."""
    request = FindMessagesRequest(queries=[MessageQuery(**query)])
    (result,) = (await client._feedback.FindMessages(request)).results
    return [f"{entry.delivery_id}/{entry.message_id}" for entry in result.entries]


async def test_a_message_is_found_by_its_message_id_however_it_is_written(client: Client) -> None:
    await record(client, taken("m1", "<one@shop.example>"), taken("m2", "<two@shop.example>"))

    assert await found(client, header_message_id="<one@shop.example>") == ["d1/m1"]
    assert await found(client, header_message_id=" two@shop.example ") == ["d1/m2"]
    assert await found(client, header_message_id="<three@shop.example>") == []


async def test_messages_to_a_recipient_are_found_over_deliveries_the_latest_first(
    client: Client, clock: ManualClock
) -> None:
    await record(
        client,
        taken("m1", recipient="You@b.example"),
        taken("m2", delivery="d2", recipient="You@b.example", after_s=60),
        taken("m3", recipient="another@b.example"),
        taken("m4", delivery="d3", recipient="You@b.example", after_s=3 * DAY),
    )
    clock.advance(4 * DAY)

    assert await found(client, recipient="you@B.example") == ["d3/m4", "d2/m2", "d1/m1"]


async def test_a_recipient_is_found_by_his_domain_in_any_alphabet(client: Client) -> None:
    await record(client, taken("m1", recipient="ok@xn--mller-kva.example"))

    for written in ("ok@müller.example", "OK@MÜLLER.example", "ok@XN--MLLER-KVA.example"):
        assert await found(client, recipient=written) == ["d1/m1"]
    for no_domain in ("ok@mü ller.example", "ok@ü..example", "müller", "ok@"):
        assert await found(client, recipient=no_domain) == []


async def test_what_was_accepted_later_is_not_found(client: Client, clock: ManualClock) -> None:
    await record(client, taken("m1"), taken("m2", recipient="m1@b.example", after_s=60))
    clock.advance(DAY)
    query = MessageQuery(recipient="m1@b.example")
    query.accepted_before_time.FromMilliseconds(START_MS + 59_000)

    result = await client._feedback.FindMessages(FindMessagesRequest(queries=[query]))

    assert [entry.message_id for entry in result.results[0].entries] == ["m1"]


async def test_messages_are_found_for_twelve_days(client: Client, clock: ManualClock) -> None:
    await record(client, taken("m1", "<one@shop.example>"))

    clock.advance(12 * DAY)
    assert await found(client, recipient="m1@b.example") == ["d1/m1"]
    assert await found(client, header_message_id="<one@shop.example>") == ["d1/m1"]

    clock.advance(1)
    assert await found(client, recipient="m1@b.example") == []


async def test_of_one_message_id_for_a_whole_delivery_the_last_messages_are_found(client: Client) -> None:
    await record(client, *(taken(f"m{number}", "<same@shop.example>") for number in range(100)))

    names = await found(client, header_message_id="<same@shop.example>")

    assert names == [f"d1/m{number}" for number in range(99, 79, -1)]


async def test_of_many_to_one_recipient_the_last_are_found(client: Client) -> None:
    for batch in range(10):
        first = 1_000 * batch
        await record(client, *(taken(f"m{first + n}", recipient="seed@b.example") for n in range(1_000)))

    names = await found(client, recipient="seed@b.example")

    assert names == [f"d1/m{number}" for number in range(9_999, 9_979, -1)]


async def test_a_message_that_is_told_of_twice_is_found_once(client: Client) -> None:
    await record(client, taken("m1", "<one@shop.example>"))
    await record(client, taken("m1", "<one@shop.example>"))

    assert await found(client, header_message_id="one@shop.example") == ["d1/m1"]


async def test_the_message_id_is_not_kept_with_the_events(client: Client) -> None:
    await record(client, taken("m1", "<one@shop.example>"))

    async for event in client.watch("d1"):
        assert not event.outcome.taken_into_account.header_message_id
        break


async def test_a_message_of_no_time_is_refused(client: Client) -> None:
    told = taken("m1")
    told.outcome.event_time.CopyFrom(NO_TIME)

    answer = await client._feedback.RecordOutcomes(
        RecordOutcomesRequest(producer="relay/s00", items=[told])
    )

    assert Problem.from_status(answer.results[0].error).reason == "OUTCOME_INVALID"


async def test_queries_are_answered_in_their_order(client: Client) -> None:
    await record(client, taken("m1", "<one@shop.example>"), taken("m2"))
    name = MessageName(delivery_id="d1", message_id="m2")
    request = FindMessagesRequest(
        queries=[
            MessageQuery(name=name),
            MessageQuery(recipient="nobody@b.example"),
            MessageQuery(header_message_id="one@shop.example"),
            MessageQuery(name=MessageName(tenant="other", delivery_id="d1", message_id="m2")),
        ]
    )

    answer = await client._feedback.FindMessages(request)

    assert [[e.message_id for e in result.entries] for result in answer.results] == [["m2"], [], ["m1"], []]


@pytest.mark.parametrize(
    ("queries", "reason"),
    [
        ([], "BATCH_EMPTY"),
        ([MessageQuery(recipient="a@b.example")] * 1_001, "BATCH_TOO_LARGE"),
        ([MessageQuery()], "QUERY_INVALID"),
        ([MessageQuery(recipient="a" * 321)], "QUERY_INVALID"),
        ([MessageQuery(name=MessageName(delivery_id="d1"))], "QUERY_INVALID"),
        ([MessageQuery(recipient="a@b.example", accepted_before_time=NO_TIME)], "TIME_INVALID"),
    ],
)
async def test_bad_queries_are_refused(client: Client, queries: list[MessageQuery], reason: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client._feedback.FindMessages(FindMessagesRequest(queries=queries))

    assert Problem.from_rpc_error(caught.value).reason == reason
