"""A defect in one of the Relay's loops costs a moment, not the service."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from emta.feedback.v1.log_pb2 import LogStatus
from services.chassis.headroom import Headroom
from services.relay.peers import Peers
from services.relay.store.limits import LimitStore
from services.relay.store.owners import Owners
from services.relay.store.queue import Queue
from tests.e2e.conftest import World, message
from tests.support.eventually import eventually

LOOPS = {
    "dispatcher": (Queue, "claim"),
    "leases": (Queue, "renew"),
    "shards": (Owners, "announce"),
    "reporter": (Peers, "record"),
    "limits": (LimitStore, "reserve"),
    "headroom": (Headroom, "look"),
}


def fails_once(function: Callable[..., Any], calls: list[str]) -> Callable[..., Any]:
    async def failing(*args: Any, **kwargs: Any) -> Any:
        calls.append(function.__qualname__)
        if len(calls) == 1:
            raise KeyError("a defect")
        return await function(*args, **kwargs)

    return failing


@pytest.mark.parametrize(("cls", "name"), LOOPS.values(), ids=LOOPS)
async def test_the_relay_goes_on_after_it(
    world: World, monkeypatch: pytest.MonkeyPatch, cls: type, name: str
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(cls, name, fails_once(getattr(cls, name), calls))
    await world.submit(message("ok@alpha.example", "m1"))

    async def called_again() -> bool:
        world.clock.advance(1)
        return len(calls) > 1

    await eventually(called_again, f"{name} to be called again")
    await world.submit(message("ok@alpha.example", "m2"))
    await world.until(LogStatus.LOG_STATUS_SENT, "m2")
