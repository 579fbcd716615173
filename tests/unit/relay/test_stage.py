"""Another service's part in an attempt."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
import pytest

from emta.problems import Problem, unavailable
from services.relay.stage import Stage
from tests.support.eventually import eventually

POISON = 13


class Service:
    """Doubles numbers; dies of the poison, and is back when the next call comes."""

    def __init__(self) -> None:
        self.serving = True
        self.calls: list[list[int]] = []
        self.answered: dict[int, int] = {}
        self.away: list[int] = []
        self.died: list[int] = []
        self.dropped: list[int] = []
        self.answers = 1  # to each question
        self.refusal = unavailable("AWAY", "away")
        self.stage: Stage[int, int, int] = Stage(
            item=lambda attempt: attempt,
            weigh=lambda attempt: 1,
            call=self._double,
            serves=self._serves,
            answered=self.answered.__setitem__,
            away=self.away.append,
            died=self.died.append,
            dropped=self.dropped.append,
        )

    async def _double(self, items: Sequence[int]) -> list[int]:
        self.calls.append(list(items))
        if POISON in items or not self.serving:
            raise self.refusal
        return [2 * item for item in items] * self.answers

    async def _serves(self) -> bool:
        return self.serving

    async def until_told(self, count: int) -> None:
        async def told() -> bool:
            return len(self.answered) + len(self.away + self.died + self.dropped) >= count

        await eventually(told, f"{count} to be told")


async def test_many_are_asked_about_at_once() -> None:
    service = Service()
    for number in (1, 2, 3):
        service.stage.add(number)
    await service.until_told(3)

    assert service.calls == [[1, 2, 3]]
    assert service.answered == {1: 2, 2: 4, 3: 6}


async def test_when_a_batch_is_answered_by_nobody_all_of_it_is_away() -> None:
    service = Service()
    for number in (1, POISON, 3):
        service.stage.add(number)
    await service.until_told(3)

    assert service.away == [1, POISON, 3]


async def test_alone_the_poison_is_found_and_the_others_are_answered() -> None:
    service = Service()
    for number in (1, POISON, 3):
        service.stage.add(number, alone=True)
    await service.until_told(3)

    assert service.calls == [[1], [POISON], [3]]
    assert service.died == [POISON]
    assert service.answered == {1: 2, 3: 6}


@pytest.mark.parametrize("code", [grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED])
async def test_a_service_that_is_overloaded_has_not_died(code: grpc.StatusCode) -> None:
    service = Service()
    service.refusal = Problem(code, "OVERLOADED", "not now")
    service.stage.add(POISON, alone=True)
    await service.until_told(1)

    assert (service.away, service.died) == ([POISON], [])


async def test_a_service_that_is_away_has_not_died_of_anything() -> None:
    service = Service()
    service.serving = False
    for number in (1, 2):
        service.stage.add(number, alone=True)
    await service.until_told(2)

    assert service.calls == []
    assert service.away == [1, 2]
    assert service.died == []


async def test_what_comes_later_is_asked_about_as_well() -> None:
    service = Service()
    service.stage.add(1, alone=True)
    await service.until_told(1)
    service.stage.add(2, alone=True)
    await service.until_told(2)

    assert service.answered == {1: 2, 2: 4}


async def test_an_answer_that_makes_no_sense_costs_one_question_and_no_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    service = Service()
    service.answers = 2
    service.stage.add(1, alone=True)
    await service.until_told(1)
    service.answers = 1
    service.stage.add(2, alone=True)
    await service.until_told(2)

    assert service.dropped == [1]
    assert service.answered == {2: 4}
