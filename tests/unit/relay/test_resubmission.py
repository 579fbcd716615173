"""Which messages may live again, and until when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from emta.feedback.v1.log_pb2 import LogEntry, LogStatus
from emta.problems import Problem, unavailable
from emta.relay.v1.message_pb2 import Message
from services.relay.resubmission import admit
from services.relay.submission import Submission, check

HOUR_MS = 3_600_000
NOW_MS = 100 * HOUR_MS
CONTENT = b"From: Shop <news@shop.example>\r\nSubject: Hello\r\n\r\nHello\r\n"


def submission(message: str = "m1", *, epoch: int = 2, not_before_ms: int = 0) -> Submission:
    given = Message(
        delivery_id="d1",
        message_id=message,
        mail_from="bounces@shop.example",
        rcpt_to="a@b.example",
        content=CONTENT,
        epoch=epoch,
    )
    if not_before_ms:
        given.not_before_time.FromMilliseconds(not_before_ms)
    return check(
        given, tenant="default", now_ms=NOW_MS, ehlo_name="mta.example", internal_fields=frozenset()
    )


def row(
    status: LogStatus = LogStatus.LOG_STATUS_FAILED,
    *,
    epoch: int = 1,
    recipient: str = "a@b.example",
    deadline_ms: int = NOW_MS + 2 * HOUR_MS,
    requalified: bool = True,
    opened: bool = True,
) -> LogEntry:
    entry = LogEntry(status=status, recipient=recipient, requalified=requalified, epoch=epoch)
    entry.deadline_time.FromMilliseconds(deadline_ms)
    if opened:
        entry.resubmit_until_time.FromMilliseconds(deadline_ms)
    return entry


async def admitted(item: Submission, known: LogEntry | None) -> Submission | Problem:
    async def rows(delivery: str, messages: Sequence[str]) -> Mapping[str, LogEntry]:
        assert (delivery, list(messages)) == ("d1", [item.message.message_id])
        return {} if known is None else {item.message.message_id: known}

    (result,) = await admit(rows, [item], NOW_MS)
    return result


async def test_an_opened_message_ends_with_its_first_validity() -> None:
    result = await admitted(submission(), row())

    assert isinstance(result, Submission)
    assert result.deadline_ms == NOW_MS + 2 * HOUR_MS
    assert result.acceptance.deadline_time.ToMilliseconds() == NOW_MS + 2 * HOUR_MS
    assert result.acceptance.clamped


async def test_one_that_is_under_way_again_is_left_to_the_queue_which_knows_it() -> None:
    begun = row(LogStatus.LOG_STATUS_TAKEN_INTO_ACCOUNT, epoch=2, requalified=False, opened=False)

    assert isinstance(await admitted(submission(), begun), Submission)


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        (None, "EPOCH_NOT_OPEN"),
        (row(requalified=False), "EPOCH_NOT_OPEN"),
        (row(opened=False), "EPOCH_NOT_OPEN"),
        (row(LogStatus.LOG_STATUS_SENT), "EPOCH_NOT_OPEN"),
        (row(LogStatus.LOG_STATUS_TAKEN_INTO_ACCOUNT), "EPOCH_NOT_OPEN"),
        (row(epoch=3), "EPOCH_NOT_OPEN"),
        (row(deadline_ms=NOW_MS), "EPOCH_NOT_OPEN"),
        (row(recipient="other@b.example"), "RECIPIENT_CHANGED"),
    ],
)
async def test_what_no_correction_opened_stays_closed(known: LogEntry | None, reason: str) -> None:
    result = await admitted(submission(), known)

    assert isinstance(result, Problem)
    assert result.reason == reason


async def test_nobody_waits_beyond_the_first_validity() -> None:
    late = submission(not_before_ms=NOW_MS + 3 * HOUR_MS)

    result = await admitted(late, row())

    assert isinstance(result, Problem)
    assert result.reason == "NOT_BEFORE_AFTER_DEADLINE"


async def test_without_feedback_only_those_wait_that_need_it() -> None:
    async def rows(delivery: str, messages: Sequence[str]) -> Mapping[str, LogEntry]:
        raise unavailable("STORE_UNAVAILABLE", "away")

    new, again = submission("m1", epoch=0), submission("m2")
    results = await admit(rows, [new, again], NOW_MS)

    assert results[0] is new
    assert isinstance(results[1], Problem)
    assert results[1].reason == "FEEDBACK_UNAVAILABLE"


async def test_for_new_messages_feedback_is_not_asked() -> None:
    async def rows(delivery: str, messages: Sequence[str]) -> Mapping[str, LogEntry]:
        raise AssertionError("asked")

    batch = [submission(epoch=0), submission(epoch=1)]

    assert await admit(rows, batch, NOW_MS) == batch


def test_every_epoch_is_known_by_a_name_of_its_own() -> None:
    assert submission(epoch=0).id == submission(epoch=1).id
    assert submission(epoch=1).id != submission(epoch=2).id
