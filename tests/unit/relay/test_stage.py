"""Another service's part in an attempt."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
import pytest

from emta.problems import Problem, unavailable
from services.relay.stage import Stage
from tests.support.eventually import eventually

POISON = 13
UNBEARABLE = 17  # its answer is


class Service:
    """Doubles numbers; dies of the poison, and is back when the next call comes."""

    def __init__(self) -> None:
        self.serving = True
        self.calls: list[list[int]] = []
        self.answered: dict[int, int] = {}
        self.away: list[int] = []
        self.suspects: set[int] = set()
        self.died: list[int] = []
        self.dropped: list[int] = []
        self.weight = 1  # octets, of each item
        self.answers = 1  # to each question
        self.refusal = unavailable("AWAY", "away")
        self.stage: Stage[int, int, int] = Stage(
            item=lambda attempt: attempt,
            weigh=lambda attempt: self.weight,
            call=self._double,
            serves=self._serves,
            answered=self._take,
            away=self.away.append,
            suspect=self.suspects.add,
            suspected=self.suspects.__contains__,
            died=self.died.append,
            dropped=self.dropped.append,
        )

    def _take(self, number: int, answer: int) -> None:
        if number == UNBEARABLE:
            raise RuntimeError
        self.answered[number] = answer

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


@pytest.mark.parametrize("doubted", [False, True])
async def test_a_defect_in_taking_one_answer_costs_no_other(doubted: bool) -> None:
    service = Service()
    for number in (1, UNBEARABLE, 3):
        service.stage.add(number, doubted=doubted)
    await service.until_told(3)

    assert service.answered == {1: 2, 3: 6}
    assert service.dropped == [UNBEARABLE]


async def test_what_waits_for_an_answer_is_counted_until_it_or_its_failure_has_come() -> None:
    service = Service()
    for number in (1, UNBEARABLE, POISON):
        service.stage.add(number)
    service.stage.add(4, doubted=True)
    assert service.stage.waiting == 3
    await service.until_told(4)

    async def nothing_waits() -> bool:
        return service.stage.waiting == 0

    await eventually(nothing_waits, "the count to fall")
    service.stage.add(UNBEARABLE)
    await eventually(nothing_waits, "the count to fall again")


async def test_when_a_batch_is_answered_by_nobody_all_of_it_is_away() -> None:
    service = Service()
    for number in (1, POISON, 3):
        service.stage.add(number)
    await service.until_told(3)

    assert service.away == [1, POISON, 3]


async def test_alone_the_poison_is_found_and_the_others_are_answered() -> None:
    service = Service()
    for number in (1, 2, POISON, 4):
        service.stage.add(number, doubted=True)
    await service.until_told(4)

    assert service.calls == [[1], [2, POISON], [2], [POISON], [4]]
    assert service.died == [POISON]
    assert service.answered == {1: 2, 2: 4, 4: 8}


async def test_suspects_that_come_back_are_asked_about_one_by_one() -> None:
    service = Service()
    service.suspects |= {2, POISON}
    for number in (1, 2, POISON, 4, 5):
        service.stage.add(number, doubted=True)
    await service.until_told(5)

    assert service.calls == [[1], [2], [POISON], [4], [5]]
    assert service.died == [POISON]


async def test_while_the_service_lives_it_is_asked_about_ever_more_at_once() -> None:
    service = Service()
    for number in range(100, 600):
        service.stage.add(number, doubted=True)
    await service.until_told(500)

    assert [len(call) for call in service.calls] == [1, 2, 4, 8, 16, 32, 64, 100, 100, 100, 73]


async def test_no_question_weighs_more_than_a_batch_may() -> None:
    service = Service()
    service.weight = 3 * 1024 * 1024
    for number in (1, 2, 3):
        service.stage.add(number, doubted=True)
    await service.until_told(3)

    assert service.calls == [[1], [2], [3]]


@pytest.mark.parametrize("code", [grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED])
async def test_a_service_that_is_overloaded_has_not_died(code: grpc.StatusCode) -> None:
    service = Service()
    service.refusal = Problem(code, "OVERLOADED", "not now")
    service.stage.add(POISON, doubted=True)
    await service.until_told(1)

    assert (service.away, service.died) == ([POISON], [])


async def test_a_service_that_is_away_has_not_died_of_anything() -> None:
    service = Service()
    service.serving = False
    for number in (1, 2):
        service.stage.add(number, doubted=True)
    await service.until_told(2)

    assert service.calls == []
    assert service.away == [1, 2]
    assert service.died == []


async def test_what_comes_later_is_asked_about_as_well() -> None:
    service = Service()
    service.stage.add(1, doubted=True)
    await service.until_told(1)
    service.stage.add(2, doubted=True)
    await service.until_told(2)

    assert service.answered == {1: 2, 2: 4}


async def test_an_answer_that_makes_no_sense_costs_one_question_and_no_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    service = Service()
    service.answers = 2
    service.stage.add(1, doubted=True)
    await service.until_told(1)
    service.answers = 1
    service.stage.add(2, doubted=True)
    await service.until_told(2)

    assert service.dropped == [1]
    assert service.answered == {2: 4}
