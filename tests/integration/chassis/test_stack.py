"""All of it on one machine, as `python -m services` runs it: started, stopped, and killed."""

from __future__ import annotations

import io
import os
import signal
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from emta.channel import connect
from services.stack import SERVICES, Stack, StackError
from tests.integration.chassis.processes import started
from tests.support.eventually import eventually

ANYWHERE = {f"EMTA_{name.upper()}_LISTEN": "127.0.0.1:0" for name in SERVICES}


@pytest.fixture(autouse=True)
def _no_settings_of_the_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    # A stack hands its own environment on to the services.
    for name in os.environ:
        if name.startswith("EMTA_"):
            monkeypatch.delenv(name)


def settings(folder: Path, **more: str) -> dict[str, str]:
    return {**ANYWHERE, "EMTA_SIGNER_KEYS_DIR": str(folder / "dkim"), **more}


async def healthy(address: str) -> bool:
    async with connect(address) as channel:
        try:
            stub = health_pb2_grpc.HealthStub(channel)
            told = await stub.Check(health_pb2.HealthCheckRequest(service="readiness"))
        except grpc.aio.AioRpcError:
            return False
        return bool(told.status == health_pb2.HealthCheckResponse.SERVING)


async def test_all_services_serve_and_none_is_left_behind(tmp_path: Path) -> None:
    log = io.StringIO()
    async with Stack(tmp_path, settings(tmp_path), log) as stack:
        assert set(stack.addresses) == set(SERVICES)
        for address in stack.addresses.values():
            assert await healthy(address)

    for address in stack.addresses.values():
        assert not await healthy(address)
    ends = [line for line in log.getvalue().splitlines() if '"event": "stopped"' in line]
    # The Relay first: what it finishes needs the others.
    assert ['"relay"' in line for line in ends] == [True, False, False, False]


async def test_a_service_that_does_not_start_is_named_with_its_reason(tmp_path: Path) -> None:
    wrong = settings(tmp_path, EMTA_BOUNCE_LISTN="127.0.0.1:0")
    with pytest.raises(
        StackError, match=r"^bounce does not start: bounce: EMTA_BOUNCE_LISTN is no setting"
    ):
        async with Stack(tmp_path, wrong, io.StringIO()):
            pass


async def test_a_service_that_dies_is_named(tmp_path: Path) -> None:
    async with Stack(tmp_path, settings(tmp_path), io.StringIO()) as stack:
        os.kill(stack._processes["feedback"].pid, signal.SIGKILL)

        assert str(await stack.failure()).startswith("feedback has died")


async def test_sigterm_stops_everything_in_order(tmp_path: Path) -> None:
    environ = settings(tmp_path, EMTA_RELAY_DATA_DIR=str(tmp_path))
    async with started("services", **environ) as process:
        addresses = [(await process.event("serving"))["address"] for _ in SERVICES]
        process.signal(signal.SIGTERM)
        assert await process.end() == 0

    assert not any([await healthy(address) for address in addresses])


async def test_services_do_not_outlive_a_stack_that_is_killed(tmp_path: Path) -> None:
    environ = settings(tmp_path, EMTA_RELAY_DATA_DIR=str(tmp_path))
    async with started("services", **environ) as process:
        addresses = [(await process.event("serving"))["address"] for _ in SERVICES]
        process.signal(signal.SIGKILL)

        async def gone() -> bool:
            return not any([await healthy(address) for address in addresses])

        await eventually(gone, "the services to end")


async def test_a_long_line_of_a_service_is_read(tmp_path: Path) -> None:
    name = f"EMTA_BOUNCE_{'X' * 100_000}"
    with pytest.raises(StackError, match=r"^bounce does not start: bounce: EMTA_BOUNCE_X"):
        async with Stack(tmp_path, settings(tmp_path, **{name: "1"}), io.StringIO()):
            pass
