"""What every service's gRPC does, over real connections."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from emta.channel import MAX_RPC_BYTES, connect
from emta.problems import Problem
from services.chassis.rpc import Server
from tests.integration.chassis.echo import NAME, PROBLEM, SECRET, Echo
from tests.support.eventually import eventually

Status = health_pb2.HealthCheckResponse.ServingStatus


@pytest.fixture
async def echo() -> Echo:
    return Echo()


@pytest.fixture
async def server(echo: Echo) -> AsyncIterator[Server]:
    server = Server("echo", "127.0.0.1:0", drain_seconds=0)
    echo.add(server)
    async with server:
        yield server


@pytest.fixture
async def channel(server: Server) -> AsyncIterator[grpc.aio.Channel]:
    async with connect(server.address) as channel:
        yield channel


async def call(channel: grpc.aio.Channel, method: str, request: bytes) -> list[bytes]:
    """Call a method of any shape; gives the answers."""
    path = f"/{NAME}/{method}"
    if method == "Out":
        return [answer async for answer in channel.unary_stream(path)(request)]
    if method == "Both":
        return [answer async for answer in channel.stream_stream(path)([request])]
    return [await channel.unary_unary(path)(request)]


async def failure(channel: grpc.aio.Channel, method: str, request: bytes) -> Problem:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(channel, method, request)
    return Problem.from_rpc_error(caught.value)


async def health(channel: grpc.aio.Channel, service: str) -> Any:
    stub = health_pb2_grpc.HealthStub(channel)
    return (await stub.Check(health_pb2.HealthCheckRequest(service=service))).status


SHAPES = pytest.mark.parametrize("method", ["Unary", "Out", "Both"])


@SHAPES
async def test_a_problem_says_the_same_on_the_other_side(channel: grpc.aio.Channel, method: str) -> None:
    told = await failure(channel, method, b"problem")

    assert vars(told) == vars(PROBLEM)


@SHAPES
async def test_a_defect_is_told_as_such_and_described_in_the_log_only(
    channel: grpc.aio.Channel, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    told = await failure(channel, method, b"defect")

    assert (told.code, told.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert SECRET not in told.message
    (record,) = [record for record in caplog.records if record.name == "emta.echo"]
    assert (record.levelno, record.getMessage()) == (logging.ERROR, "rpc_failed")
    assert record.exc_info is not None
    assert SECRET in str(record.exc_info[1])


async def test_a_problem_with_a_long_text_keeps_its_reason(channel: grpc.aio.Channel) -> None:
    told = await failure(channel, "Unary", b"long problem")

    assert (told.code, told.reason, told.field) == (grpc.StatusCode.INVALID_ARGUMENT, "TOO_LONG", "name")
    assert told.message


async def test_what_was_answered_before_the_problem_arrives(channel: grpc.aio.Channel) -> None:
    answers = channel.unary_stream(f"/{NAME}/Out")(b"problem")

    assert await answers.read() == b"first"
    with pytest.raises(grpc.aio.AioRpcError):
        await answers.read()


async def test_an_rpc_aborted_by_hand_keeps_its_status(channel: grpc.aio.Channel) -> None:
    told = await failure(channel, "Abort", b"")

    assert (told.code, told.reason, told.message) == (grpc.StatusCode.ABORTED, "ABORTED", "by hand")


async def test_an_unknown_method_is_unimplemented(channel: grpc.aio.Channel) -> None:
    assert (await failure(channel, "Nothing", b"")).code == grpc.StatusCode.UNIMPLEMENTED


async def test_a_message_near_the_limit_travels_both_ways_and_a_larger_one_is_refused(
    server: Server, channel: grpc.aio.Channel
) -> None:
    content = bytes(MAX_RPC_BYTES - 1024)
    assert await call(channel, "Unary", content) == [content]

    unlimited = [("grpc.max_send_message_length", -1)]
    async with grpc.aio.insecure_channel(server.address, options=unlimited) as careless:
        told = await failure(careless, "Unary", bytes(MAX_RPC_BYTES + 1))
    assert told.code == grpc.StatusCode.RESOURCE_EXHAUSTED


async def test_a_caller_who_leaves_leaves_no_task_behind(channel: grpc.aio.Channel, echo: Echo) -> None:
    waiting = channel.unary_stream(f"/{NAME}/Wait")(b"")
    assert await waiting.read() == b"begun"
    waiting.cancel()

    async with asyncio.timeout(10):
        await echo.cancelled.wait()


async def test_health_is_told_overall_by_service_and_for_readiness(channel: grpc.aio.Channel) -> None:
    for service in ("", NAME, "readiness"):
        assert await health(channel, service) == Status.SERVING
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await health(channel, "emta.test.v1.Unknown")
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


async def test_health_can_be_watched_up_to_the_end(echo: Echo) -> None:
    server = Server("echo", "127.0.0.1:0", drain_seconds=30)
    echo.add(server)
    async with connect((await server.__aenter__()).address) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=NAME))
        assert (await watch.read()).status == Status.SERVING
        stopping = asyncio.create_task(server.__aexit__(None, None, None))
        assert (await watch.read()).status == Status.NOT_SERVING
        watch.cancel()
        async with asyncio.timeout(10):
            await stopping


async def test_readiness_follows_what_the_service_needs_and_liveness_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("services.chassis.rpc._READINESS_SECONDS", 0.01)
    answers = False

    async def ready() -> bool:
        return answers

    async with (
        Server("echo", "127.0.0.1:0", ready=ready, drain_seconds=0) as server,
        connect(server.address) as channel,
    ):
        # At once, not after the first probe: nobody may send to a service whose store is away.
        assert await health(channel, "readiness") == Status.NOT_SERVING
        assert await health(channel, "") == Status.SERVING
        answers = True

        async def is_ready() -> bool:
            return bool(await health(channel, "readiness") == Status.SERVING)

        await eventually(is_ready)


@pytest.mark.parametrize("reflection", [False, True])
async def test_reflection_is_served_only_where_it_is_asked_for(echo: Echo, reflection: bool) -> None:
    server = Server("echo", "127.0.0.1:0", reflection=reflection, drain_seconds=0)
    echo.add(server)
    async with server, connect(server.address) as channel:
        stub = reflection_pb2_grpc.ServerReflectionStub(channel)
        asked = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
        if reflection:
            (told,) = [answer async for answer in asked]
            assert NAME in [service.name for service in told.list_services_response.service]
        else:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await asked.read()
            assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_a_port_in_use_is_told_plainly(server: Server) -> None:
    with pytest.raises(OSError, match=f"cannot listen on {server.address}"):
        async with Server("echo", server.address, drain_seconds=0):
            pass


async def test_an_end_under_way_takes_nothing_new_and_finishes_streams() -> None:
    server = Server("echo", "127.0.0.1:0", drain_seconds=30)
    Echo().add(server)
    address = (await server.__aenter__()).address
    async with connect(address) as channel, connect(address) as other:
        stream = channel.stream_stream(f"/{NAME}/Both")()
        await stream.write(b"before")
        assert await stream.read() == b"before"

        stopping = asyncio.create_task(server.__aexit__(None, None, None))

        async def refused() -> bool:
            try:
                await call(other, "Unary", b"new")
            except grpc.aio.AioRpcError as error:
                return error.code() == grpc.StatusCode.UNAVAILABLE
            return False

        await eventually(refused)
        await stream.write(b"after")
        assert await stream.read() == b"after"
        assert not stopping.done()
        await stream.done_writing()
        assert await stream.read() == grpc.aio.EOF
        async with asyncio.timeout(10):
            await stopping
