"""The outage guard against a real store: what opens an incident, what it holds, what ends it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import grpc
import pytest

from emta.bounce.v1.incident_service_pb2 import CloseIncidentRequest, IncidentEnd
from emta.bounce.v1.incident_service_pb2_grpc import IncidentServiceStub
from emta.bounce.v1.qualification_pb2 import (
    BounceCode,
    Disposition,
    FailureReason,
    FailureType,
)
from emta.bounce.v1.smtp_reply_pb2 import SmtpPhase, SmtpReply
from emta.channel import connect
from services.bounce.app import running
from services.bounce.settings import BounceSettings
from services.chassis.settings import load_settings
from tests.integration.bounce.conversation import BUSY, Relay, people
from tests.support.clock import ManualClock
from tests.support.eventually import eventually

DISABLED = SmtpReply(
    phase=SmtpPhase.SMTP_PHASE_RCPT, code=550, enhanced_code="5.2.1", text="The email account is disabled"
)
HARD, SOFT = FailureType.FAILURE_TYPE_HARD, FailureType.FAILURE_TYPE_SOFT
HOUR, DAY = 3_600, 86_400
HOLD = 4 * HOUR


@pytest.fixture
async def channel(environ: dict[str, str], clock: ManualClock) -> AsyncIterator[grpc.aio.Channel]:
    async with (
        running(load_settings(BounceSettings, environ), clock) as server,
        connect(server.address) as channel,
    ):
        yield channel


@pytest.fixture
def relay(channel: grpc.aio.Channel) -> Relay:
    return Relay(channel)


async def outage(relay: Relay) -> None:
    """A hundred people accepted, then refused one after the other until it is noticed."""
    await relay.accepted(people(100))
    for person in people(20):
        (meaning,) = await relay.refused([person])
        if meaning.incident_id:
            return
    raise AssertionError("no incident was opened")


async def until_end(relay: Relay, end: IncidentEnd) -> None:
    async def ended() -> bool:
        return (await relay.incidents())[0].end == end

    await eventually(ended, IncidentEnd.Name(end))


async def test_questions_open_no_incident_and_are_held_by_an_open_one(relay: Relay) -> None:
    await relay.accepted(people(100))
    asked = await relay.refused(people(30), uncounted=True)
    assert {meaning.type for meaning in asked} == {HARD}
    assert not await relay.incidents()

    await outage(relay)
    (before,) = await relay.incidents()
    asked = await relay.refused(people(30), uncounted=True)
    assert {meaning.incident_id for meaning in asked} == {before.incident_id}
    assert [incident.held for incident in await relay.incidents()] == [before.held]


async def test_known_addresses_that_turn_hard_open_an_incident_which_holds_the_rest(relay: Relay) -> None:
    await relay.accepted(people(100))

    meanings = [(await relay.refused([person]))[0] for person in people(30)]

    hard = [meaning for meaning in meanings if meaning.type == HARD]
    assert len(hard) <= 7
    held = meanings[-1]
    assert (held.type, held.reason, held.campaign_reason) == (
        SOFT,
        FailureReason.FAILURE_REASON_UNREACHABLE,
        3,
    )
    assert held.disposition == Disposition.DISPOSITION_RETRY_LATER
    assert held.bounce_code == BounceCode.BOUNCE_CODE_TRANSIENT_FAILURE
    assert held.held_reason == FailureReason.FAILURE_REASON_USER_UNKNOWN
    assert held.held_bounce_code == BounceCode.BOUNCE_CODE_INVALID_RECIPIENT
    assert held.rule_id == hard[0].rule_id
    (incident,) = await relay.incidents(only_open=True)
    assert held.incident_id == incident.incident_id
    assert (incident.site, list(incident.reasons)) == ("mail", [FailureReason.FAILURE_REASON_USER_UNKNOWN])
    assert incident.held == 30 - len(hard)
    assert "does not exist" in incident.samples[0].normalized_text
    assert incident.samples[0].mx_host == "mx1.mail.example"


async def test_the_batch_that_opens_an_incident_is_held_itself(relay: Relay) -> None:
    await relay.accepted(people(100))

    meanings = await relay.refused(people(50))

    assert {meaning.type for meaning in meanings} == {SOFT}


async def test_a_bought_list_opens_none(relay: Relay) -> None:
    await relay.accepted(people(1_000, name="customer"))

    for start in range(0, 10_000, 500):
        bought = people(10_000, name="bought")[start : start + 500]
        meanings = await relay.refused(bought[:300], accepted=bought[300:])
        assert {meaning.type for meaning in meanings} == {HARD}

    assert await relay.incidents() == []


async def test_addresses_never_accepted_are_held_with_the_others(relay: Relay) -> None:
    await outage(relay)

    (meaning,) = await relay.refused(["new@mail.example"])

    assert meaning.type == SOFT


async def test_what_is_not_hard_or_of_another_site_is_not_held(
    relay: Relay, channel: grpc.aio.Channel
) -> None:
    await outage(relay)

    (elsewhere,) = await Relay(channel, "other").refused(["new@other.example"])
    (busy,) = await relay.refused(["u1@mail.example"], BUSY)

    assert elsewhere.type == HARD
    assert busy.incident_id == ""


async def test_one_closed_company_does_not_speak_for_its_provider(relay: Relay) -> None:
    everybody = [f"{name}@company{n}.example" for n in range(200) for name in ("a", "b", "c", "d")]
    closed = people(40, "closed.example")
    await relay.accepted([*everybody, *closed])

    meanings = await relay.refused(closed)

    assert {meaning.type for meaning in meanings} == {HARD}


async def test_the_same_address_again_is_no_further_evidence(relay: Relay) -> None:
    await relay.accepted(people(100))

    for _ in range(50):
        assert (await relay.refused(["u1@mail.example"]))[0].type == HARD


async def test_refusals_of_some_while_others_are_deferred_are_no_outage(relay: Relay) -> None:
    """A site that defers us still refuses closed accounts: the deferred ones are there, too."""
    known = people(3_000)
    await relay.accepted(known)

    for number in range(12):
        await relay.refused(known[number * 200 : number * 200 + 199], BUSY)
        (meaning,) = await relay.refused([known[number * 200 + 199]])
        assert meaning.type == HARD


async def test_it_closes_itself_when_known_addresses_are_accepted_again(
    relay: Relay, clock: ManualClock
) -> None:
    await outage(relay)

    clock.advance(HOUR)
    await relay.accepted(people(100))
    clock.advance(60)

    await until_end(relay, IncidentEnd.INCIDENT_END_RECOVERED)
    assert (await relay.refused(["gone@mail.example"]))[0].type == HARD


async def test_it_closes_at_its_time_when_nothing_says_that_it_goes_on(
    relay: Relay, clock: ManualClock
) -> None:
    await outage(relay)
    clock.advance(60)

    clock.advance(HOLD)

    await until_end(relay, IncidentEnd.INCIDENT_END_TIME)


async def test_it_is_extended_while_it_goes_on_and_believed_after_a_day(
    relay: Relay, clock: ManualClock
) -> None:
    await outage(relay)
    (incident,) = await relay.incidents()
    first_end = incident.hold_until_time.ToSeconds()

    for _ in range(23):
        clock.advance(HOUR)
        assert {meaning.type for meaning in await relay.refused(people(10))} == {SOFT}
    (incident,) = await relay.incidents()
    assert incident.hold_until_time.ToSeconds() > first_end
    assert incident.latest_end_time.ToSeconds() == incident.open_time.ToSeconds() + DAY
    clock.advance(HOUR)

    await until_end(relay, IncidentEnd.INCIDENT_END_BELIEVED)
    for _ in range(6):
        clock.advance(DAY)
        assert {meaning.type for meaning in await relay.refused(people(50))} == {HARD}


async def closed_by(channel: grpc.aio.Channel, incident_id: str, verdict: IncidentEnd) -> None:
    await IncidentServiceStub(channel).CloseIncident(
        CloseIncidentRequest(incident_id=incident_id, verdict=verdict, actor="anna", comment="told so")
    )


async def test_an_outage_that_an_operator_ended_too_early_opens_a_new_incident(
    relay: Relay, channel: grpc.aio.Channel, clock: ManualClock
) -> None:
    await outage(relay)
    (first,) = await relay.incidents()

    await closed_by(channel, first.incident_id, IncidentEnd.INCIDENT_END_OUTAGE)
    clock.advance(1)
    await relay.refused(people(100)[50:])

    second, ended = await relay.incidents()
    assert (ended.end, ended.actor) == (IncidentEnd.INCIDENT_END_OUTAGE, "anna")
    assert second.held == 50


async def test_what_an_operator_calls_real_is_believed_for_a_week(
    relay: Relay, channel: grpc.aio.Channel, clock: ManualClock
) -> None:
    await outage(relay)
    (first,) = await relay.incidents()

    await closed_by(channel, first.incident_id, IncidentEnd.INCIDENT_END_REAL)

    assert {meaning.type for meaning in await relay.refused(people(100)[50:])} == {HARD}
    clock.advance(8 * DAY)
    assert {meaning.type for meaning in await relay.refused(people(100)[50:])} == {SOFT}


async def test_opening_and_closing_are_told_to_operators(
    relay: Relay, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "emta.bounce")
    await outage(relay)
    clock.advance(HOUR)
    await relay.accepted(people(100))
    clock.advance(60)
    await until_end(relay, IncidentEnd.INCIDENT_END_RECOVERED)

    events = {record.message: record for record in caplog.records}
    opened, closed = events["incident_opened"], events["incident_closed"]
    assert (opened.levelname, closed.levelname) == ("ERROR", "INFO")
    fields = opened.fields  # type: ignore[attr-defined]
    assert (fields["site"], fields["reasons"]) == ("mail", ["FAILURE_REASON_USER_UNKNOWN"])
    (incident,) = await relay.incidents()
    assert fields["samples"] == [incident.samples[0].normalized_text]
    assert "does not exist" in fields["samples"][0]
    assert "u1@" not in str(fields)


async def test_every_reason_is_doubted_while_a_site_errs(relay: Relay) -> None:
    await outage(relay)

    (meaning,) = await relay.refused(["u99@mail.example"], DISABLED)

    assert (meaning.type, meaning.held_reason) == (SOFT, FailureReason.FAILURE_REASON_ACCOUNT_DISABLED)
