"""A provider errs, a list was bought, a provider closed: told apart over real SMTP, while it happens."""

from __future__ import annotations

import shlex
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from emta.bounce.v1.incident_service_pb2 import Incident, IncidentEnd
from emta.bounce.v1.qualification_pb2 import BounceCode, FailureReason, FailureType
from emta.feedback.v1.log_pb2 import LogEvent, LogStatus
from tests.e2e.command import emta
from tests.e2e.conftest import World, message
from tests.e2e.false_replies import clock_at, provider
from tests.e2e.test_gmail_2020 import FALSE_REPLY, MX
from tests.integration.relay.scripted_server import ScriptedServer
from tests.support.clock import ManualClock
from tests.support.eventually import eventually

SENT, FAILED = LogStatus.LOG_STATUS_SENT, LogStatus.LOG_STATUS_FAILED
HOUR = 3_600
NO_SUCH_USER = b"550 5.1.1 No such user\r\n"


@pytest.fixture
def clock() -> ManualClock:
    return clock_at(2020, 12, 14, 11, 0)


@pytest.fixture
def environ() -> dict[str, str]:
    # A busy machine must not look like a store that is away.
    return {"EMTA_BOUNCE_STORE_TIMEOUT_SECONDS": "30"}


async def deliver(world: World, delivery: str, addresses: Sequence[str]) -> None:
    await world.client.open_delivery(delivery, to_deliver=len(addresses))
    await world.submit(*(message(a, f"m{n}", delivery_id=delivery) for n, a in enumerate(addresses)))


async def counted(world: World, delivery: str, **wanted: int) -> None:
    """Wait until a delivery's figures are these."""

    async def reached() -> bool:
        kpis = await world.client.kpis(delivery)
        return all(getattr(kpis, name) >= count for name, count in wanted.items())

    await eventually(reached, f"{delivery} to have {wanted}")


async def pass_hours(world: World, delivery: str, hours: int) -> None:
    """Let time pass, as slowly as what is retried meanwhile needs."""
    for _ in range(hours):
        world.clock.advance(HOUR)

        async def waits() -> bool:
            now_ms = world.clock.now_ms()
            return all(
                [
                    entry.next_attempt_time.ToMilliseconds() > now_ms
                    async for entry in world.client.logs(delivery)
                    if entry.status == LogStatus.LOG_STATUS_TAKEN_INTO_ACCOUNT
                ]
            )

        await eventually(waits, "all to wait for their next attempts")


async def incidents(world: World) -> list[Incident]:
    return [incident async for incident in world.client.incidents()]


async def until_known(world: World, accepted: int) -> None:
    """Wait until Bounce knows of acceptances: the Relay tells it once a second."""

    async def known() -> bool:
        (incident,) = await incidents(world)
        return incident.latest.accepted == accepted

    await eventually(known, f"{accepted} acceptances to be reported")


async def until_end(world: World, end: IncidentEnd) -> Incident:
    async def ended() -> Incident | None:
        (incident,) = await incidents(world)
        return incident if incident.end == end else None

    incident = await eventually(ended, IncidentEnd.Name(end))
    assert incident is not None
    return incident


def people(count: int, name: str = "u") -> list[str]:
    return [f"{name}{number}@gmail.com" for number in range(count)]


async def turns_hard(world: World, google: ScriptedServer) -> None:
    """Sixty people get a newsletter; by the next one, Google does not know them any more.

    Four messages of "early" fail, which is no evidence yet; all 56 of "second" come too late for that.
    """
    await deliver(world, "first", people(60))
    await counted(world, "first", sent=60)
    world.clock.advance(HOUR)
    google.replies = {"RCPT": FALSE_REPLY}
    await deliver(world, "early", people(4))
    await counted(world, "early", failed=4)
    await deliver(world, "second", people(60)[4:])
    await counted(world, "second", deferred=56)


async def test_an_outage_is_held_and_what_it_held_is_sent_when_it_is_over(
    world: World, tmp_path: Path
) -> None:
    async with provider(world, MX, ["gmail.com"]) as google:
        await turns_hard(world, google)

        (incident,) = await incidents(world)
        assert incident.site == "google"
        assert list(incident.reasons) == [FailureReason.FAILURE_REASON_USER_UNKNOWN]
        assert incident.held == 56
        # Every held message says by what, and what it would be else.
        events = [e.outcome async for e in _deferrals(world)]
        assert {event.deferral.qualification.incident_id for event in events} == {incident.incident_id}
        assert {event.deferral.qualification.held_bounce_code for event in events} == {
            BounceCode.BOUNCE_CODE_INVALID_RECIPIENT
        }
        (held,) = [e async for e in world.client.logs("second", message_ids=["m1"])]
        assert held.failure_type == FailureType.FAILURE_TYPE_SOFT
        assert held.failure_reason == FailureReason.FAILURE_REASON_UNREACHABLE
        assert held.incident_id == incident.incident_id
        await shown_to_operators(world, tmp_path, incident)

        google.replies = {}
        world.clock.advance(1.25 * HOUR)
        await counted(world, "second", sent=56)
        (healed,) = [e async for e in world.client.logs("second", message_ids=["m1"])]
        assert (healed.status, healed.incident_id) == (SENT, "")
        await until_known(world, accepted=56)
        world.clock.advance(60)
        closed = await until_end(world, IncidentEnd.INCIDENT_END_RECOVERED)

        assert closed.latest.accepted == 56
        google.replies = {"RCPT": NO_SUCH_USER}
        await deliver(world, "third", ["gone@gmail.com"])
        await counted(world, "third", failed=1)


async def _deferrals(world: World) -> AsyncIterator[LogEvent]:
    """The 56 deferrals of the second delivery."""
    seen = 0
    async for event in world.client.watch("second"):
        if event.outcome.WhichOneof("event") == "deferral":
            seen += 1
            yield event
        if seen == 56:
            return


async def shown_to_operators(world: World, folder: Path, incident: Incident) -> None:
    """What the command `emta` says of it; and its advice finds what was not held."""
    name = incident.incident_id
    code, out, err = await emta(world, folder, "incidents", "list", "--open")
    assert (code, err) == (0, "")
    assert all(word in out for word in (name, "google", "Hard / User unknown", "56"))
    code, out, err = await emta(world, folder, "log", "second", "--message", "m1")
    assert (code, err) == (0, "")
    assert f"held by {name}" in out
    code, out, err = await emta(world, folder, "incidents", "show", name)
    assert (code, err) == (0, "")
    assert "does not exist" in out
    command = next(line for line in out.splitlines() if line.startswith("emta requalify"))
    code, out, err = await emta(world, folder, *shlex.split(command)[1:])
    assert (code, err) == (0, "")
    assert "4 of 4 failures match" in out


async def test_a_bought_list_opens_no_incident(world: World) -> None:
    async with provider(world, MX, ["gmail.com"]) as google:
        await deliver(world, "first", people(60))
        await counted(world, "first", sent=60)

        google.replies = {"RCPT": [NO_SUCH_USER, NO_SUCH_USER, NO_SUCH_USER, b"250 2.1.5 Ok\r\n"] * 50}
        await deliver(world, "bought", people(120, "bought"))
        await counted(world, "bought", accepted=120, failed=90, sent=30)

        assert await incidents(world) == []


async def test_a_provider_that_really_closed_is_believed_in_the_end(world: World) -> None:
    async with provider(world, MX, ["gmail.com"]) as google:
        await turns_hard(world, google)

        await pass_hours(world, "second", 23)
        assert (await world.client.kpis("second")).failed == 0
        await pass_hours(world, "second", 1)
        world.clock.advance(60)
        await until_end(world, IncidentEnd.INCIDENT_END_BELIEVED)
        await pass_hours(world, "second", 5)

        await counted(world, "second", failed=56)
        kpis = await world.client.kpis("second")
        assert kpis.compat.hard == 56


async def test_an_operator_ends_it_by_a_verdict(world: World, tmp_path: Path) -> None:
    async with provider(world, MX, ["gmail.com"]) as google:
        await turns_hard(world, google)
        (incident,) = await incidents(world)

        verdict = ("--verdict", "real", "--why", "they shut down", "--who", "anna")
        code, out, err = await emta(world, tmp_path, "incidents", "close", incident.incident_id, *verdict)

        assert (code, err) == (0, "")
        assert "real" in out
        (closed,) = await incidents(world)
        assert (closed.actor, closed.comment) == ("anna", "they shut down")
        await pass_hours(world, "second", 2)
        await counted(world, "second", failed=56)
        code, _, err = await emta(world, tmp_path, "incidents", "close", incident.incident_id, *verdict)
        assert (code, "INCIDENT_CLOSED" in err) == (2, True)
