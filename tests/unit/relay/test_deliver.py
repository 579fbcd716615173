"""What the Signer is asked in one call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from emta.problems import unavailable
from emta.signer.v1.signer_service_pb2 import SignItem, SignResult
from services.chassis.settings import load_settings
from services.relay.acceptances import Acceptances
from services.relay.connector import Connector
from services.relay.deliver import Deliverer
from services.relay.limits import Limits
from services.relay.mx import MxHost, MxResolver, Route
from services.relay.mx_rules import MxRules
from services.relay.peers import Peers
from services.relay.settings import RelaySettings
from services.relay.store.limits import LimitStore
from services.relay.store.queue import Queue, Settlement
from tests.support.clock import START_MS, ManualClock
from tests.support.eventually import eventually
from tests.unit.relay.attempts import an_attempt

MIB = 1024 * 1024


class Signer:
    """Writes down how many messages a call is about, and how many octets; then it is away."""

    signer_serves = bounce_serves = None  # nobody asks

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.largest = 0
        self.told: list[int] = []  # how many waited for it whenever we were told that fewer do
        self.deliverer = Deliverer(
            cast(Queue, self),
            ManualClock(),
            cast(MxResolver, self),
            cast(Connector, None),
            Limits(cast(LimitStore, None), ManualClock(), MxRules.load(None), "relay", 30.0),
            cast(Peers, self),
            Acceptances(b"s" * 16, on=False),
            load_settings(RelaySettings, {}),
            signed=lambda: self.told.append(self.deliverer.unsigned),
            settled=lambda due_ms: None,
        )

    def known(self, domain: str) -> Route:
        return Route(((10, MxHost(f"mx.{domain}", ("192.0.2.1",))),))

    def unit(self, shard: int) -> int:
        return 0

    async def sign(self, items: Sequence[SignItem]) -> Sequence[SignResult]:
        self.calls.append(len(items))
        self.largest = max(self.largest, sum(item.ByteSize() for item in items))
        raise unavailable("AWAY", "away")

    async def settle(self, settlements: Sequence[Settlement]) -> list[bool | None]:
        return [True] * len(settlements)

    async def sign_all(self, *contents: bytes) -> list[int]:
        """Give how many messages each call was about."""
        for number, content in enumerate(contents):
            attempt = an_attempt(
                f"m{number}",
                content=content,
                domain=f"b{number % 10}.example",  # no site has more waiting than it may
                leased_until_ms=START_MS + 1,
                deadline_ms=START_MS + 1,
            )
            self.deliverer.begin(attempt.claimed)

        async def done() -> bool:
            return not self.deliverer.in_flight

        await eventually(done, "all to be settled")
        return sorted(self.calls)


def _content(header_octets: int, body_octets: int) -> bytes:
    return b"From: a@shop.example\r\nX: %b\r\n\r\n%b\r\n" % (b"x" * header_octets, b"y" * body_octets)


async def test_a_call_has_a_hundred_messages_whatever_their_bodies_weigh() -> None:
    assert await Signer().sign_all(*[_content(100, MIB)] * 100) == [100]


async def test_who_claims_is_told_when_fewer_wait_for_the_signer() -> None:
    signer = Signer()
    await signer.sign_all(*[_content(100, 100)] * 150)

    assert signer.told == [50, 0]


async def test_large_header_blocks_share_no_call_beyond_what_one_may_carry() -> None:
    signer = Signer()

    assert await signer.sign_all(*[_content(MIB, 0)] * 8) == [2, 3, 3]
    assert signer.largest < 4 * MIB
