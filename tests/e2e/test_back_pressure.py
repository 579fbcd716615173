"""What there is no room for now is put off message by message; the stream goes on."""

from __future__ import annotations

import grpc
import pytest
from redis.asyncio import Redis

from emta.channel import connect
from emta.problems import Problem
from emta.relay.v1.message_pb2 import Message
from emta.relay.v1.relay_service_pb2 import SubmitMessagesRequest, SubmitMessagesResponse, SubmitResult
from emta.relay.v1.relay_service_pb2_grpc import RelayServiceStub
from tests.e2e.conftest import World, message
from tests.support.eventually import eventually


@pytest.fixture
def away() -> tuple[str, ...]:
    return ("feedback", "signer")


@pytest.fixture
def environ() -> dict[str, str]:
    return {"EMTA_RELAY_SHARDS": "1", "EMTA_RELAY_OUTBOX_MAX": "2"}


async def _answered(call: grpc.aio.StreamStreamCall, *messages: Message) -> list[SubmitResult]:
    await call.write(SubmitMessagesRequest(messages=messages))
    response = await call.read()
    assert isinstance(response, SubmitMessagesResponse)
    return list(response.results)


async def test_a_full_outbox_refuses_message_by_message_and_ends_no_stream(
    world: World, store: Redis
) -> None:
    await world.submit(message("ok@alpha.example", "m1"), message("ok@alpha.example", "m2"))
    async with connect(world.addresses["relay"]) as channel:
        call = RelayServiceStub(channel).SubmitMessages()
        put_off, wrong = await _answered(call, message("ok@alpha.example", "m3"), message("wrong", "m4"))

        async def taken() -> bool:
            # What is delivered meanwhile fills it again.
            await store.delete("relay:{s00}:outbox", "relay:{s00}:outbox_size")
            (result,) = await _answered(call, message("ok@alpha.example", "m3"))
            return result.WhichOneof("result") == "acceptance"

        await eventually(taken, "the message to be taken")
        await call.done_writing()

    problem = Problem.from_status(put_off.error)
    assert (problem.reason, problem.retry_after) == ("OUTBOX_FULL", 5.0)
    assert problem.is_transient
    assert Problem.from_status(wrong.error).reason == "ADDRESS_MALFORMED"


async def test_a_full_store_refuses_message_by_message_and_ends_no_stream(
    world: World, store: Redis
) -> None:
    async with connect(world.addresses["relay"]) as channel:
        call = RelayServiceStub(channel).SubmitMessages()
        await store.config_set("maxmemory", "1")
        try:
            (put_off,) = await _answered(call, message("ok@alpha.example", "m1"))
        finally:
            await store.config_set("maxmemory", "0")

        async def taken() -> bool:
            (result,) = await _answered(call, message("ok@alpha.example", "m1"))
            return result.WhichOneof("result") == "acceptance"

        await eventually(taken, "the message to be taken")
        await call.done_writing()

    # Whoever sees it first: the store, or the watch over its memory.
    assert Problem.from_status(put_off.error).reason in ("STORE_FULL", "QUEUE_FULL")
