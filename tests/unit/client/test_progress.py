"""Where nothing can be drawn, progress is a line now and then."""

from __future__ import annotations

import pytest

from emta.cli.progress import Lines
from emta.cli.tables import status_line
from emta.feedback.v1.delivery_pb2 import DeliveryKpis


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_what_takes_moments_says_nothing(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(clock)
    clock.now += 4.9
    lines.say("9 of 10 submitted")

    assert capsys.readouterr() == ("", "")


def test_lines_are_on_standard_error_and_become_seldom(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    lines, began = Lines(clock), clock.now
    spoken = []
    while clock.now < began + 1_200:
        clock.now += 1
        lines.say(f"{clock.now:.0f}")
        out, err = capsys.readouterr()
        assert out == ""
        if err:
            spoken.append(clock.now - began)

    assert spoken == [5, 15, 35, 75, 155, 315, 615, 915]


def test_nothing_new_is_not_said_again(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    lines = Lines(clock)
    for _ in range(100):
        clock.now += 10
        lines.say("waiting")

    assert capsys.readouterr().err == "emta: waiting\n"


def test_a_delivery_in_one_line() -> None:
    kpis = DeliveryKpis(delivery_id="spring", to_deliver=1_024, sent=1_000, failed=4, in_flight=20)

    assert status_line(kpis) == "spring: 1,000 sent, 4 failed, 20 in flight of 1,024"
