"""When the store has room for more, and when not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from services.chassis import headroom
from services.chassis.headroom import Headroom, Marks

GIB = 1024**3


class Store:
    """What a store says of itself."""

    def __init__(self, path: bool = False) -> None:
        self.used, self.most = 0, 0
        self.connection_pool = SimpleNamespace(connection_kwargs={"path": "x"} if path else {})

    async def info(self, section: str) -> dict[str, int]:
        assert section == "memory"
        return {"used_memory": self.used, "maxmemory": self.most, "total_system_memory": 1_000}

    async def config_get(self, name: str) -> dict[str, str]:
        return {name: "/"}


def watching(store: Store) -> Headroom:
    return Headroom(cast(Redis, store), Marks(memory_accept=70, disk_accept=10, disk_deliver=5))


@pytest.mark.parametrize(("used", "most", "accepts"), [(699, 0, True), (700, 0, False), (350, 500, False)])
async def test_accepting_ends_at_the_mark_of_the_memory(used: int, most: int, accepts: bool) -> None:
    store = Store()
    store.used, store.most = used, most
    room = watching(store)
    await room.look()

    assert (room.accepts, room.delivers) == (accepts, True)


async def test_it_resumes_by_itself_a_little_below_the_mark() -> None:
    store = Store()
    room = watching(store)
    seen = []
    for used in (600, 710, 690, 640, 620):
        store.used = used
        await room.look()
        seen.append(room.accepts)

    assert seen == [True, False, False, False, True]


@pytest.mark.parametrize(
    ("free", "accepts", "delivers"),
    [(11, True, True), (9, False, True), (4, False, False)],
)
async def test_a_disk_that_runs_full_ends_accepting_first(
    monkeypatch: pytest.MonkeyPatch, free: int, accepts: bool, delivers: bool
) -> None:
    def usage(folder: Any) -> SimpleNamespace:
        return SimpleNamespace(total=100 * GIB // 20, free=free * GIB // 20)

    monkeypatch.setattr(headroom.shutil, "disk_usage", usage)
    room = watching(Store(path=True))
    await room.look()

    assert (room.accepts, room.delivers) == (accepts, delivers)


async def test_ten_gibibytes_are_always_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        headroom.shutil, "disk_usage", lambda folder: SimpleNamespace(total=1_000 * GIB, free=11 * GIB)
    )
    room = watching(Store(path=True))
    await room.look()

    assert room.accepts
