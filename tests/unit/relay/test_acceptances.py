"""Whose messages were accepted: keys that hide who it is, and numbers where keys are too many."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from emta.bounce.v1.acceptance_service_pb2 import SiteAcceptances
from emta.bounce.v1.bounce_service_pb2 import QualifyRepliesItem, QualifyRepliesResult
from emta.problems import Problem, unavailable
from services.relay.acceptance_reporter import AcceptanceReporter
from services.relay.acceptances import Acceptances

SECRET = b"s" * 32


def acceptances(secret: bytes = SECRET) -> Acceptances:
    return Acceptances(secret, on=True)


def test_relays_of_one_store_give_an_address_one_key() -> None:
    assert acceptances().key("google", "a@b.example") == acceptances().key("google", "a@b.example")


@pytest.mark.parametrize(
    ("site", "address", "secret"),
    [
        ("google", "A@b.example", SECRET),
        ("google", "a@c.example", SECRET),
        ("other", "a@b.example", SECRET),
        ("google", "a@b.example", b"t" * 32),
    ],
)
def test_a_key_is_of_site_address_and_secret(site: str, address: str, secret: bytes) -> None:
    assert acceptances(secret).key(site, address) != acceptances().key("google", "a@b.example")


def test_recipients_of_a_domain_share_their_upper_16_bits() -> None:
    keys = {acceptances().key("google", f"{n}@b.example") >> 48 for n in range(50)}

    assert len(keys) == 1
    assert keys != {acceptances().key("google", "1@c.example") >> 48}


def test_keys_do_not_collide_within_a_domain() -> None:
    told = acceptances()

    assert len({told.key("google", f"{n}@b.example") for n in range(100_000)}) == 100_000


def test_what_was_taken_is_reported_once() -> None:
    told = acceptances()
    for address in ("a@b.example", "b@b.example"):
        told.add("google", address)
    told.add("other", "a@c.example")

    taken = {each.site: each for each in told.take()}

    assert list(taken["google"].recipient_keys) == [told.key("google", f"{n}@b.example") for n in "ab"]
    assert len(taken["other"].recipient_keys) == 1
    assert told.take() == []


def test_more_than_a_report_holds_is_only_counted() -> None:
    told = acceptances()
    for n in range(20_100):
        told.add("google", f"{n}@b.example")

    (taken,) = told.take()

    assert (len(taken.recipient_keys), taken.untold) == (20_000, 100)


def test_sites_without_end_stay_within_bounds() -> None:
    told = acceptances()
    for n in range(15_000):
        told.add(f"mx{n}.example", f"a@{n}.example")

    reports = []
    while report := told.take():
        assert len(report) <= 1_000
        reports.append(report)

    assert sum(len(report) for report in reports) <= 11_000
    assert sum(len(each.recipient_keys) for report in reports for each in report) == 1_000


def test_what_did_not_arrive_is_told_as_a_number() -> None:
    told = acceptances()
    told.add("google", "a@b.example")
    told.lost(told.take())
    told.add("google", "b@b.example")

    (taken,) = told.take()

    assert (len(taken.recipient_keys), taken.untold) == (1, 1)


def test_switched_off_nothing_is_kept() -> None:
    told = Acceptances(SECRET, on=False)

    told.add("google", "a@b.example")

    assert told.take() == []
    assert told.key("google", "a@b.example") == 0


class Bounce:
    """What the reporter needs of Peers; away when told so."""

    def __init__(self) -> None:
        self.away = False
        self.heard: list[tuple[str, int, int]] = []  # by which call, keys, untold

    async def qualify(
        self, items: Sequence[QualifyRepliesItem], acceptances: Sequence[SiteAcceptances]
    ) -> Sequence[QualifyRepliesResult]:
        self._hear("qualify", acceptances)
        return [QualifyRepliesResult() for _ in items]

    async def report_acceptances(self, acceptances: Sequence[SiteAcceptances]) -> None:
        self._hear("report", acceptances)

    def _hear(self, call: str, acceptances: Sequence[SiteAcceptances]) -> None:
        if self.away:
            raise unavailable("STORE_UNAVAILABLE", "away")
        for told in acceptances:
            self.heard.append((call, len(told.recipient_keys), told.untold))


async def test_refusals_bring_along_what_was_accepted_before_them() -> None:
    told, bounce = acceptances(), Bounce()
    reporter = AcceptanceReporter(told, bounce)  # type: ignore[arg-type]
    told.add("google", "a@b.example")

    results = await reporter.qualify([QualifyRepliesItem()])
    await reporter.flush()

    assert len(results) == 1
    assert bounce.heard == [("qualify", 1, 0)]


async def test_while_bounce_is_away_only_numbers_are_kept() -> None:
    told, bounce = acceptances(), Bounce()
    reporter = AcceptanceReporter(told, bounce)  # type: ignore[arg-type]
    bounce.away = True
    told.add("google", "a@b.example")
    await reporter.flush()
    told.add("google", "b@b.example")
    with pytest.raises(Problem):
        await reporter.qualify([QualifyRepliesItem()])

    bounce.away = False
    await reporter.flush()

    assert bounce.heard == [("report", 0, 2)]
