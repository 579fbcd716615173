"""`emta requalify`: what its preview says where nothing is found."""

from datetime import UTC, datetime, timedelta

import pytest

from emta.cli.requalify_preview import Found, why_nothing
from emta.feedback.v1.requalify_service_pb2 import OutcomeFilter

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("from_hours", "to_hours", "said"),
    [
        (1, 2, "The window lies in the future: nothing has failed there yet."),
        (-400, -337, "The window ended more than 14 days ago: failures are found no longer than that."),
        (-400, -335, "No message failed in this window."),
        (-1, 1, "No message failed in this window."),
    ],
)
def test_a_window_in_which_nothing_could_be_is_said(from_hours: int, to_hours: int, said: str) -> None:
    wanted = OutcomeFilter()
    wanted.from_time.FromDatetime(NOW + timedelta(hours=from_hours))
    wanted.to_time.FromDatetime(NOW + timedelta(hours=to_hours))

    assert why_nothing(Found(), wanted, NOW) == said
    assert why_nothing(Found(examined=1), wanted, NOW) == ""
