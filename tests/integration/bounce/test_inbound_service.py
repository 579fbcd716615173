"""What comes back by mail: read, brought to its message, and recorded by a real Feedback."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from redis.asyncio import Redis

from emta.bounce.v1.inbound_service_pb2 import (
    FoundBy,
    InboundEffect,
    InboundKind,
    QualifyInboundItem,
    QualifyInboundRequest,
    QualifyInboundResult,
)
from emta.bounce.v1.inbound_service_pb2_grpc import InboundServiceStub
from emta.bounce.v1.qualification_pb2 import BounceCode, FailureReason, FailureType
from emta.bounce.v1.qualifications_service_pb2 import QualificationRow, QualificationStatus
from emta.channel import connect
from emta.client import Client
from emta.feedback.v1.feedback_service_pb2 import RecordOutcomesItem, RecordOutcomesRequest
from emta.feedback.v1.log_pb2 import LogEffect, LogEntry, LogEvent, LogStatus
from emta.feedback.v1.outcome_pb2 import AddressStatus, TakenIntoAccount
from emta.problems import Problem
from emta.return_path import MessageName, ReturnPaths
from services.bounce import app as bounce
from services.bounce.settings import BounceSettings
from services.chassis.settings import load_settings
from services.feedback import app as feedback
from services.feedback.settings import FeedbackSettings
from tests.support import returned
from tests.support.clock import ManualClock
from tests.support.eventually import eventually
from tests.support.outcomes import item, outcome

KEY = "k" * 32
PATHS = ReturnPaths.parse(KEY)
FOREIGN = ReturnPaths.parse("f" * 32)
DAY = 86_400
FAILED, RECORDED, DUPLICATE = (
    InboundEffect.INBOUND_EFFECT_FAILED,
    InboundEffect.INBOUND_EFFECT_RECORDED,
    InboundEffect.INBOUND_EFFECT_DUPLICATE,
)
BY_RETURN_PATH, BY_MESSAGE_ID, BY_RECIPIENT = (
    FoundBy.FOUND_BY_RETURN_PATH,
    FoundBy.FOUND_BY_MESSAGE_ID,
    FoundBy.FOUND_BY_RECIPIENT,
)


@dataclass
class World:
    """Bounce and Feedback, and what tests ask of them."""

    client: Client
    inbound: Any
    clock: ManualClock
    stack: AsyncExitStack  # closes Feedback

    async def sent(self, message: str = "m1", **how: Any) -> None:
        """A message was accepted and sent a second later."""
        await self.record(*history(message, "sent", now_ms=self.clock.now_ms(), **how))

    async def record(self, *items: RecordOutcomesItem) -> None:
        request = RecordOutcomesRequest(producer="relay/s00", items=items)
        answer = await self.client._feedback.RecordOutcomes(request)
        assert all(result.HasField("recorded") for result in answer.results)

    async def qualify(self, *mails: bytes, to: str = "") -> list[QualifyInboundResult]:
        items = [QualifyInboundItem(content=mail, envelope_recipient=to) for mail in mails]
        return list((await self.inbound.QualifyInbound(QualifyInboundRequest(items=items))).results)

    async def report(self, mail: bytes, to: str = "") -> Any:
        """The report about one mail."""
        (result,) = await self.qualify(mail, to=to)
        assert result.WhichOneof("result") == "report", result
        return result.report

    async def problem(self, mail: bytes, to: str = "") -> Problem:
        (result,) = await self.qualify(mail, to=to)
        return Problem.from_status(result.error)

    async def entry(self, message: str = "m1") -> LogEntry:
        (entry,) = [entry async for entry in self.client.logs("d1", message_ids=[message])]
        return entry

    async def last_event(self) -> LogEvent:
        return [event async for event in self.client.watch("d1", stop_when_done=True)][-1]


def history(
    message: str,
    *kinds: str,
    now_ms: int,
    recipient: str = "",
    header_id: str = "",
    signed: bool = False,
) -> list[RecordOutcomesItem]:
    """What a Relay reports about a message that it accepted now."""
    told = [outcome(kind, n, message=message) for n, kind in enumerate(("taken_into_account", *kinds), 1)]
    told[0].taken_into_account.CopyFrom(
        TakenIntoAccount(header_message_id=header_id, signed_return_path=signed)
    )
    for each in told:
        each.recipient = recipient or each.recipient
        each.event_time.FromMilliseconds(now_ms)
    return [item(each) for each in told]


def return_path(message: str = "m1", paths: ReturnPaths = PATHS, epoch: int = 1) -> str:
    return f"{paths.local_part(MessageName('default', 'd1', message, epoch))}@bounces.shop.example"


@pytest.fixture
async def world(
    store: Redis, store_url: str, environ: dict[str, str], clock: ManualClock
) -> AsyncIterator[World]:
    settings = load_settings(
        FeedbackSettings,
        {
            "EMTA_FEEDBACK_REDIS_URL": store_url,
            "EMTA_FEEDBACK_LISTEN": "127.0.0.1:0",
            "EMTA_FEEDBACK_DRAIN_SECONDS": "0",
        },
    )
    async with AsyncExitStack() as away, AsyncExitStack() as stack:
        ledger = await away.enter_async_context(feedback.running(settings, clock))
        environ |= {"EMTA_BOUNCE_FEEDBACK": ledger.address, "EMTA_BOUNCE_RETURN_PATH_KEY": KEY}
        server = await stack.enter_async_context(
            bounce.running(load_settings(BounceSettings, environ), clock)
        )
        client = await stack.enter_async_context(Client(feedback=ledger.address, bounce=server.address))
        channel = await stack.enter_async_context(connect(server.address))
        yield World(client, InboundServiceStub(channel), clock, away)


async def test_a_bounce_is_found_by_its_return_path_and_turns_the_message_to_failed(world: World) -> None:
    await world.sent(signed=True)
    before = await world.client.kpis("d1")

    report = await world.report(returned.dsn("m1@b.example"), to=return_path())

    (recipient,) = report.recipients
    assert report.kind == InboundKind.INBOUND_KIND_BOUNCE
    assert (recipient.found_by, recipient.effect) == (BY_RETURN_PATH, FAILED)
    assert (recipient.delivery_id, recipient.message_id) == ("d1", "m1")
    row = await world.entry()
    assert (row.status, row.failure_type, row.failure_reason) == (
        LogStatus.LOG_STATUS_FAILED,
        FailureType.FAILURE_TYPE_HARD,
        FailureReason.FAILURE_REASON_USER_UNKNOWN,
    )
    assert row.last_reply.code == 550
    after = await world.client.kpis("d1")
    assert (before.sent - after.sent, after.failed - before.failed) == (1, 1)


async def test_the_same_mail_again_changes_nothing_whatever_was_put_on_top(world: World) -> None:
    await world.sent()
    mail = returned.dsn("m1@b.example")
    await world.report(mail, to=return_path())
    before = await world.client.kpis("d1")

    on_top = b"Return-Path: <>\r\nReceived: from a.example\r\n\tby b.example; today\r\n"
    for copy in (mail, on_top + mail, mail.replace(b"\r\n", b"\n") + b"\n"):
        report = await world.report(copy, to=return_path())
        assert report.recipients[0].effect == DUPLICATE

    after = await world.client.kpis("d1")
    before.ClearField("read_time")
    after.ClearField("read_time")
    assert before == after


async def test_the_same_mail_again_names_the_message_that_it_was_recorded_for(world: World) -> None:
    await world.sent("m1", recipient="you@b.example")
    world.clock.advance(10)
    await world.sent("m2", recipient="you@b.example")
    world.clock.advance(10)
    mail = returned.dsn("you@b.example")
    (first,) = (await world.report(mail)).recipients
    assert (first.found_by, first.message_id, first.effect) == (BY_RECIPIENT, "m2", FAILED)

    (again,) = (await world.report(mail)).recipients

    # m1 is the last one sent now, and nothing was recorded about it.
    assert (again.found_by, again.effect) == (BY_RECIPIENT, DUPLICATE)
    assert (again.tenant, again.delivery_id, again.message_id) == ("default", "d1", "m2")
    assert (await world.entry("m1")).status == LogStatus.LOG_STATUS_SENT


@pytest.mark.parametrize(("days", "effect"), [(7, FAILED), (8, RECORDED)])
async def test_a_bounce_counts_for_seven_days(world: World, days: int, effect: InboundEffect) -> None:
    await world.sent()
    world.clock.advance(days * DAY)

    report = await world.report(returned.dsn("m1@b.example"), to=return_path())

    assert report.recipients[0].effect == effect


async def test_when_a_mail_arrived_counts_and_not_when_it_is_read(world: World) -> None:
    await world.sent()
    arrived = Timestamp()
    arrived.FromMilliseconds(world.clock.now_ms() + 1_000)
    world.clock.advance(9 * DAY)
    item = QualifyInboundItem(
        content=returned.dsn("m1@b.example"), envelope_recipient=return_path(), arrival_time=arrived
    )

    (result,) = (await world.inbound.QualifyInbound(QualifyInboundRequest(items=[item]))).results

    assert result.report.recipients[0].effect == FAILED


async def test_a_delay_is_recorded_only(world: World) -> None:
    await world.sent()

    mail = returned.dsn("m1@b.example", action="delayed", status="4.4.1", diagnostic="connection timed out")
    report = await world.report(mail, to=return_path())

    assert report.recipients[0].effect == RECORDED
    assert (await world.entry()).status == LogStatus.LOG_STATUS_SENT


async def test_a_report_of_success_records_nothing(world: World) -> None:
    await world.sent()

    mail = returned.dsn("m1@b.example", action="delivered", status="2.0.0", diagnostic="250 ok")
    report = await world.report(mail, to=return_path())

    assert report.recipients[0].found_by == BY_RETURN_PATH
    assert report.recipients[0].effect == InboundEffect.INBOUND_EFFECT_UNSPECIFIED


async def test_a_bounce_of_an_earlier_life_does_not_end_the_later_one(world: World) -> None:
    taken, failure = history("m1", "failure", now_ms=world.clock.now_ms())
    correction = item(outcome("correction"), "corrected")
    sent = item(outcome("sent", 1, epoch=2))
    await world.record(taken, failure, correction, sent)

    old = await world.report(returned.dsn("m1@b.example", text="old"), to=return_path(epoch=1))
    new = await world.report(returned.dsn("m1@b.example", text="new"), to=return_path(epoch=2))

    assert [report.recipients[0].effect for report in (old, new)] == [RECORDED, FAILED]


async def test_a_complaint_leaves_the_status_and_denylists_the_address(world: World) -> None:
    await world.sent(recipient="You@b.example")

    report = await world.report(returned.complaint(return_path()))

    assert report.kind == InboundKind.INBOUND_KIND_COMPLAINT
    assert (report.recipients[0].found_by, report.recipients[0].effect) == (BY_RETURN_PATH, RECORDED)
    assert (await world.entry()).status == LogStatus.LOG_STATUS_SENT
    figures = await world.client.kpis("d1")
    assert (figures.sent, figures.complaints) == (1, 1)
    event = (await world.last_event()).outcome
    assert event.recipient == "You@b.example"
    assert event.complaint.feedback_type == "abuse"
    address = event.complaint.address_event
    assert (address.status, address.reason, address.campaign_reason) == (
        AddressStatus.ADDRESS_STATUS_DENYLISTED,
        FailureReason.FAILURE_REASON_DENYLISTED,
        8,
    )


async def test_an_automatic_answer_changes_no_status_and_no_figure(world: World) -> None:
    await world.sent()
    before = await world.client.kpis("d1")

    report = await world.report(returned.vacation("m1@b.example"), to=return_path())

    assert report.kind == InboundKind.INBOUND_KIND_AUTO_REPLY
    (recipient,) = report.recipients
    assert recipient.effect == RECORDED
    assert recipient.qualification.type == FailureType.FAILURE_TYPE_IGNORED
    assert recipient.qualification.bounce_code == BounceCode.BOUNCE_CODE_AUTO_REPLY
    event = await world.last_event()
    assert event.effect == LogEffect.LOG_EFFECT_RECORDED
    after = await world.client.kpis("d1")
    before.ClearField("read_time")
    after.ClearField("read_time")
    assert before == after


@pytest.mark.parametrize(
    ("subject", "found_by"),
    [("unsubscribe", BY_RECIPIENT), ("unsubscribe<m1.4711@shop.example>", BY_MESSAGE_ID)],
)
async def test_a_wish_to_leave_is_an_event_of_its_own(
    world: World, subject: str, found_by: FoundBy
) -> None:
    await world.sent(header_id="<m1.4711@shop.example>", signed=True)

    report = await world.report(returned.unsubscribe("m1@b.example", subject))

    assert report.kind == InboundKind.INBOUND_KIND_UNSUBSCRIBE
    assert (report.recipients[0].found_by, report.recipients[0].effect) == (found_by, RECORDED)
    entry = await world.entry()
    assert (entry.status, entry.unsubscribe_requested) == (LogStatus.LOG_STATUS_SENT, True)
    assert (await world.last_event()).outcome.subscription_request.requested_by == "m1@b.example"


async def test_without_a_return_path_the_message_id_tells(world: World) -> None:
    await world.sent("m1", header_id="<one@shop.example>")
    await world.sent("m2", header_id="<two@shop.example>")

    report = await world.report(returned.dsn("forwarded@c.example", message_id="<one@shop.example>"))

    (recipient,) = report.recipients
    assert (recipient.found_by, recipient.message_id, recipient.effect) == (BY_MESSAGE_ID, "m1", FAILED)


async def test_of_messages_with_one_message_id_the_recipient_tells(world: World) -> None:
    for message in ("m1", "m2", "m3"):
        await world.sent(message, header_id="<same@shop.example>")

    found = await world.report(returned.dsn("M2@b.example", message_id="<same@shop.example>"))
    unclear = await world.report(returned.dsn("else@c.example", message_id="<same@shop.example>"))

    assert (found.recipients[0].message_id, found.recipients[0].found_by) == ("m2", BY_MESSAGE_ID)
    assert unclear.recipients[0].found_by == FoundBy.FOUND_BY_UNSPECIFIED


async def test_with_neither_the_last_message_to_the_recipient_is_meant(world: World) -> None:
    await world.sent("m1", recipient="you@b.example")
    world.clock.advance(3_600)
    await world.sent("m2", recipient="you@b.example")
    world.clock.advance(60)

    report = await world.report(returned.dsn("You@B.example"))

    (recipient,) = report.recipients
    assert (recipient.found_by, recipient.message_id, recipient.effect) == (BY_RECIPIENT, "m2", FAILED)
    assert (await world.entry("m1")).status == LogStatus.LOG_STATUS_SENT


async def test_the_time_at_which_the_reporter_got_it_tells_messages_apart(world: World) -> None:
    reached = world.clock.now_ms()
    await world.sent("m1", recipient="you@b.example")
    world.clock.advance(DAY)
    await world.sent("m2", recipient="you@b.example")

    report = await world.report(returned.dsn("you@b.example", arrival_ms=reached))

    assert report.recipients[0].message_id == "m1"


async def test_a_message_with_a_signed_return_path_is_not_bounced_by_who_does_not_know_it(
    world: World,
) -> None:
    await world.sent(signed=True)

    report = await world.report(returned.dsn("m1@b.example"))

    assert report.recipients[0].found_by == FoundBy.FOUND_BY_UNSPECIFIED
    assert (await world.entry()).status == LogStatus.LOG_STATUS_SENT


async def test_a_forged_return_path_is_counted_and_ignored(world: World) -> None:
    await world.sent()
    mail = returned.dsn("m1@b.example")
    request = QualifyInboundRequest(
        items=[
            QualifyInboundItem(content=mail, envelope_recipient=return_path(paths=FOREIGN)),
            QualifyInboundItem(
                content=mail, envelope_recipient=return_path()[:-30] + "@bounces.shop.example"
            ),
        ]
    )

    answer = await world.inbound.QualifyInbound(request)

    assert answer.forged_return_paths == 2
    for result in answer.results:
        assert result.report.forged_return_path
        assert result.report.recipients[0].found_by == FoundBy.FOUND_BY_UNSPECIFIED
    assert (await world.entry()).status == LogStatus.LOG_STATUS_SENT


async def test_a_good_return_path_beside_a_forged_one_counts(world: World) -> None:
    await world.sent()
    mail = returned.dsn("m1@b.example", to=return_path(paths=FOREIGN))

    report = await world.report(mail, to=return_path())

    assert report.recipients[0].effect == FAILED
    assert not report.forged_return_path


async def test_of_a_report_about_several_only_our_recipient_counts(world: World) -> None:
    await world.sent(recipient="list@b.example")

    mail = returned.dsn("one@c.example", "list@b.example", "two@c.example")
    report = await world.report(mail, to=return_path())

    assert [each.effect for each in report.recipients] == [
        InboundEffect.INBOUND_EFFECT_UNSPECIFIED,
        FAILED,
        InboundEffect.INBOUND_EFFECT_UNSPECIFIED,
    ]


async def test_a_bounce_that_overtakes_the_report_of_sending_waits(world: World) -> None:
    taken, sent = history("m1", "sent", now_ms=world.clock.now_ms())
    await world.record(taken)
    mail = returned.dsn("m1@b.example")

    problem = await world.problem(mail, to=return_path())
    await world.record(sent)
    report = await world.report(mail, to=return_path())

    assert (problem.code, problem.reason) == (grpc.StatusCode.UNAVAILABLE, "MESSAGE_IN_FLIGHT")
    assert report.recipients[0].effect == FAILED


async def test_a_bounce_that_overtakes_the_report_of_acceptance_waits_for_days_at_most(
    world: World,
) -> None:
    item = QualifyInboundItem(content=returned.dsn("m1@b.example"), envelope_recipient=return_path())
    item.arrival_time.FromMilliseconds(world.clock.now_ms())
    request = QualifyInboundRequest(items=[item])

    (early,) = (await world.inbound.QualifyInbound(request)).results
    world.clock.advance(5 * DAY)
    (late,) = (await world.inbound.QualifyInbound(request)).results

    assert Problem.from_status(early.error).reason == "MESSAGE_IN_FLIGHT"
    assert late.report.recipients[0].found_by == FoundBy.FOUND_BY_UNSPECIFIED


async def test_while_feedback_is_away_mails_are_to_be_sent_again(world: World) -> None:
    await world.sent()
    await world.stack.aclose()

    bounced, other = await world.qualify(
        returned.dsn("m1@b.example"), returned.personal(), to=return_path()
    )

    assert Problem.from_status(bounced.error).reason == "FEEDBACK_UNAVAILABLE"
    assert Problem.from_status(bounced.error).code == grpc.StatusCode.UNAVAILABLE
    assert other.report.kind == InboundKind.INBOUND_KIND_OTHER


async def test_bad_mails_are_refused_and_their_neighbours_go_on(world: World) -> None:
    await world.sent()
    nested = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(30)
    )
    mails = (b"", b"a" * (1024 * 1024 + 1), nested, returned.dsn("m1@b.example"))

    *bad, good = await world.qualify(*mails, to=return_path())

    reasons = [Problem.from_status(result.error).reason for result in bad]
    assert reasons == ["CONTENT_EMPTY", "MAIL_OVER_LIMIT", "MAIL_OVER_LIMIT"]
    assert good.report.recipients[0].effect == FAILED


async def test_no_mail_however_broken_breaks_its_batch(world: World) -> None:
    await world.sent(header_id="<one@shop.example>")
    chance = random.Random(15)
    good = [
        returned.dsn("m1@b.example", "x@y.example", message_id="<one@shop.example>", to=return_path()),
        returned.complaint(return_path(), message_id="<one@shop.example>"),
        returned.vacation("m1@b.example"),
        returned.unsubscribe("m1@b.example", "unsubscribe<one@shop.example>"),
    ]
    broken = []
    for _ in range(500):
        mail = bytearray(chance.choice(good))
        for _ in range(chance.randint(1, 12)):
            at = chance.randrange(len(mail))
            mail[at : at + chance.randint(0, 9)] = chance.randbytes(chance.randint(0, 9))
        broken.append(bytes(mail))

    for first in range(0, len(broken), 100):
        results = await world.qualify(*broken[first : first + 100], to=return_path())
        assert len(results) == 100


async def test_a_mail_from_the_future_is_refused(world: World) -> None:
    item = QualifyInboundItem(content=returned.dsn("m1@b.example"))
    item.arrival_time.FromMilliseconds(world.clock.now_ms() + 3_600_000)

    (result,) = (await world.inbound.QualifyInbound(QualifyInboundRequest(items=[item]))).results

    assert Problem.from_status(result.error).reason == "ARRIVAL_IN_FUTURE"


async def test_a_time_that_is_none_is_refused(world: World) -> None:
    item = QualifyInboundItem(content=returned.dsn("m1@b.example"), arrival_time=Timestamp(seconds=10**15))

    (result,) = (await world.inbound.QualifyInbound(QualifyInboundRequest(items=[item]))).results

    assert Problem.from_status(result.error).reason == "TIME_INVALID"


async def test_an_endless_envelope_recipient_is_refused(world: World) -> None:
    problem = await world.problem(returned.dsn("m1@b.example"), to="a" * 513)

    assert problem.reason == "RECIPIENT_TOO_LONG"


@pytest.mark.parametrize(
    ("items", "reason"),
    [
        ([], "BATCH_EMPTY"),
        ([QualifyInboundItem(content=b"a")] * 101, "BATCH_TOO_LARGE"),
        ([QualifyInboundItem(content=b"a" * 1024 * 1024)] * 17, "BATCH_TOO_LARGE"),
    ],
)
async def test_bad_batches_are_refused(world: World, items: list[QualifyInboundItem], reason: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await world.inbound.QualifyInbound(QualifyInboundRequest(items=items))

    assert Problem.from_rpc_error(caught.value).reason == reason


async def test_the_answer_names_the_rules_that_decided(world: World) -> None:
    request = QualifyInboundRequest(items=[QualifyInboundItem(content=returned.dsn("m1@b.example"))])

    answer = await world.inbound.QualifyInbound(request)

    assert answer.rules_version == (await world.client.rules()).rules.version


async def test_rule_18_a_text_set_to_ignore_is_ignored_when_it_comes_by_mail(world: World) -> None:
    """A mail counts once on the row of its text, and only when it is about a message of ours."""
    for message in ("m1", "m2"):
        await world.sent(message, signed=True)
    mail = returned.dsn("m1@b.example")
    report = await world.report(mail, to=return_path())
    md5 = report.recipients[0].qualification.normalized_md5
    assert report.recipients[0].qualification.type == FailureType.FAILURE_TYPE_HARD
    await world.report(mail, to=return_path())
    await world.report(returned.dsn("nobody@b.example"), to=return_path("m1", FOREIGN))

    async def counted() -> QualificationRow | None:
        world.clock.advance(1)
        rows = [row async for row in world.client.qualifications.rows()]
        return rows[0] if rows else None

    row = await eventually(counted, "the row")
    assert (row.normalized_md5, row.occurrences, row.final_occurrences) == (md5, 1, 1)
    ignore = QualificationStatus.QUALIFICATION_STATUS_IGNORE
    await world.client.qualifications.set([md5], status=ignore, actor="anna")

    report = await world.report(returned.dsn("m2@b.example"), to=return_path("m2"))

    (recipient,) = report.recipients
    assert (recipient.effect, recipient.qualification.normalized_md5) == (FAILED, md5)
    assert recipient.qualification.type == FailureType.FAILURE_TYPE_IGNORED
    assert (await world.entry("m2")).failure_type == FailureType.FAILURE_TYPE_IGNORED
