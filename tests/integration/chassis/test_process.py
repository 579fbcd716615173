"""The life of a service process, seen from outside."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import grpc
import pytest

from emta.channel import connect
from tests.integration.chassis.echo import NAME
from tests.integration.chassis.processes import children, finished, started
from tests.support.eventually import eventually

ECHO = "tests.integration.chassis.echo"
LISTEN = {"EMTA_DEMO_LISTEN": "127.0.0.1:0"}
SERVICES = ("relay", "signer", "bounce", "feedback")


async def test_sigterm_finishes_what_is_under_way_and_takes_nothing_new() -> None:
    async with started(ECHO, **LISTEN) as process:
        address = (await process.event("serving"))["address"]
        async with connect(address) as channel, connect(address) as other:
            stream = channel.stream_stream(f"/{NAME}/Both")()
            await stream.write(b"before")
            assert await stream.read() == b"before"

            process.signal(signal.SIGTERM)
            draining = await process.event("draining")

            async def refused() -> bool:
                try:
                    await other.unary_unary(f"/{NAME}/Unary")(b"new")
                except grpc.aio.AioRpcError as error:
                    return error.code() == grpc.StatusCode.UNAVAILABLE
                return False

            await eventually(refused)
            await stream.write(b"after")
            assert await stream.read() == b"after"
            await stream.done_writing()
            assert await stream.read() == grpc.aio.EOF
            assert await process.end() == 0
        assert draining["seconds"] == 30.0
        assert '"event": "stopped"' in process.lines[-1]


async def test_what_does_not_finish_in_time_is_cut_off() -> None:
    async with started(ECHO, EMTA_DEMO_DRAIN_SECONDS="0.2", **LISTEN) as process:
        async with connect((await process.event("serving"))["address"]) as channel:
            waiting = channel.unary_stream(f"/{NAME}/Wait")(b"")
            assert await waiting.read() == b"begun"
            process.signal(signal.SIGTERM)
            with pytest.raises(grpc.aio.AioRpcError):
                await waiting.read()
        assert await process.end() == 0


async def test_a_second_signal_ends_it_at_once() -> None:
    async with started(ECHO, EMTA_DEMO_DRAIN_SECONDS="3600", **LISTEN) as process:
        async with connect((await process.event("serving"))["address"]) as channel:
            waiting = channel.unary_stream(f"/{NAME}/Wait")(b"")
            assert await waiting.read() == b"begun"
            process.signal(signal.SIGINT)
            await process.event("draining")
            process.signal(signal.SIGTERM)
            with pytest.raises(grpc.aio.AioRpcError):
                await waiting.read()
        assert await process.end() == 1


@pytest.mark.parametrize("service", SERVICES)
async def test_check_reads_the_settings_and_says_ok(service: str) -> None:
    assert await finished(f"services.{service}", "--check") == (0, "ok\n", "")


@pytest.mark.parametrize("service", SERVICES)
async def test_a_misspelt_setting_ends_it_with_one_line_and_exit_code_2(service: str) -> None:
    code, output, errors = await finished(
        f"services.{service}", **{f"EMTA_{service.upper()}_LISTN": "127.0.0.1:0"}
    )

    assert (code, output) == (2, "")
    assert errors == (
        f"{service}: EMTA_{service.upper()}_LISTN is no setting of emta; "
        f"did you mean EMTA_{service.upper()}_LISTEN?\n"
    )


@pytest.mark.parametrize("service", SERVICES)
async def test_help_teaches_the_settings(service: str) -> None:
    code, output, _ = await finished(f"services.{service}", "--help")

    assert code == 0
    assert f"EMTA_{service.upper()}_LISTEN [127.0.0.1:5005" in output


async def test_help_of_bounce_names_its_commands() -> None:
    code, output, _ = await finished("services.bounce", "--help")

    assert code == 0
    commands = output.partition("commands:\n")[2].partition("\n\n")[0]
    assert [line.split()[0] for line in commands.splitlines()] == ["check", "try", "qualify", "inbound"]


async def test_an_address_in_use_ends_it_with_one_line_and_exit_code_1() -> None:
    async with started(ECHO, **LISTEN) as process:
        address = (await process.event("serving"))["address"]
        code, _, errors = await finished(ECHO, EMTA_DEMO_LISTEN=address)

    assert code == 1
    assert errors.splitlines()[-1] == f"echo: cannot listen on {address}: is it in use?"
    assert "Traceback" not in errors


async def test_a_store_that_is_away_ends_it_with_one_line_without_the_password() -> None:
    code, _, errors = await finished(
        "services.feedback",
        EMTA_FEEDBACK_LISTEN="127.0.0.1:0",
        EMTA_FEEDBACK_REDIS_URL="redis://feedback:hunter2@127.0.0.1:1/0",
    )

    assert code == 1
    assert errors.startswith("feedback: the store (EMTA_FEEDBACK_REDIS_URL): ")
    assert errors.count("\n") == 1
    assert "hunter2" not in errors


async def test_a_store_that_keeps_dying_ends_its_service_with_exit_code_1(tmp_path: Path) -> None:
    environ = {"EMTA_FEEDBACK_LISTEN": "127.0.0.1:0", "EMTA_FEEDBACK_DATA_DIR": str(tmp_path)}
    async with started("services.feedback", **environ) as process:
        await process.event("serving")
        killed: set[int] = set()

        async def killed_five() -> bool:
            for child in children(process.pid):
                if child not in killed:
                    os.kill(child, signal.SIGKILL)
                    killed.add(child)
            return len(killed) == 5

        await eventually(killed_five, "five servers to kill")
        assert await process.end() == 1
    assert process.lines[-1].startswith("feedback: the store keeps dying")


@pytest.mark.parametrize(
    "url", ["http://store", "redis://:hunter2#x@store:6379", "redis://:hunter2/x@store"]
)
async def test_a_malformed_store_url_is_refused_without_quoting_it(url: str) -> None:
    code, _, errors = await finished("services.feedback", "--check", EMTA_FEEDBACK_REDIS_URL=url)

    assert code == 2
    assert errors.startswith("feedback: EMTA_FEEDBACK_REDIS_URL: ")
    assert errors.count("\n") == 1
    assert "hunter2" not in errors
