"""Which behaviour an address names, and what is remembered between attempts."""

from __future__ import annotations

import re

import pytest

from demo.receiver.behaviours import BEHAVIOURS, OK, Memory, Stage, named
from tests.support.clock import ManualClock


@pytest.mark.parametrize(
    ("rcpt", "name"),
    [
        ("user-unknown@a.example", "user-unknown"),
        ("user-unknown+17@a.example", "user-unknown"),
        ("user-unknown-17@a.example", "user-unknown"),
        ("USER-UNKNOWN+a-b+c@a.example", "user-unknown"),
        ("mailbox-full-then-ok+mailbox-full@a.example", "mailbox-full-then-ok"),
        ("ada@a.example", "ok"),
        ("user-unknown-x@a.example", "ok"),
        ("", "ok"),
    ],
)
def test_the_local_part_names_the_behaviour(rcpt: str, name: str) -> None:
    assert named(rcpt) is BEHAVIOURS[name]


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_every_behaviour_shows_at_its_stage_only(name: str) -> None:
    behaviour = BEHAVIOURS[name]

    shown = {
        stage
        for stage in Stage
        if Memory(ManualClock()).due(f"{name}@a.example", stage, greylist_seconds=5) is not None
    }

    assert shown == ({behaviour.stage} if behaviour.stage else set())
    assert behaviour is OK or shown


@pytest.mark.parametrize("name", [name for name, one in BEHAVIOURS.items() if one.reply])
def test_every_reply_is_one_reply_unless_it_is_meant_to_be_odd(name: str) -> None:
    lines = BEHAVIOURS[name].reply.split("\r\n")

    whole = all(re.match(r"\d{3}-", line) for line in lines[:-1]) and re.match(r"\d{3} ", lines[-1])

    assert bool(whole) == (name not in ("two-replies", "garbage-reply"))


def test_greylisting_ends_after_its_time_and_counts_down() -> None:
    clock = ManualClock()
    memory = Memory(clock)

    def attempt() -> str | None:
        due = memory.due("greylist@a.example", Stage.RCPT, greylist_seconds=60)
        return due and due[1]

    first = attempt()
    clock.advance(20.5)
    second = attempt()
    clock.advance(39.4)
    third = attempt()
    clock.advance(0.1)

    assert first == "451 4.7.1 <greylist@a.example>: Greylisted, please try again in 60 seconds"
    assert second is not None
    assert "in 40 seconds" in second
    assert third is not None
    assert "in 1 seconds" in third
    assert attempt() is None


def test_greylisting_is_by_recipient() -> None:
    clock = ManualClock()
    memory = Memory(clock)
    memory.due("greylist+1@a.example", Stage.RCPT, greylist_seconds=60)
    clock.advance(60)

    assert memory.due("greylist+1@a.example", Stage.RCPT, greylist_seconds=60) is None
    assert memory.due("greylist+2@a.example", Stage.RCPT, greylist_seconds=60) is not None


def test_what_happens_once_happens_once_for_each_recipient() -> None:
    memory = Memory(ManualClock())

    def refused(rcpt: str) -> bool:
        return memory.due(rcpt, Stage.RCPT, greylist_seconds=5) is not None

    one, two = "mailbox-full-then-ok+1@a.example", "mailbox-full-then-ok+2@a.example"
    assert [refused(one), refused(one), refused(two), refused(one)] == [True, False, True, False]


def test_what_happens_always_never_ends() -> None:
    memory = Memory(ManualClock())

    for _ in range(100):
        assert memory.due("always-soft@a.example", Stage.RCPT, greylist_seconds=5) is not None
