"""The whole stack in one process, with one clock that the test moves: real store, SMTP, DNS, gRPC."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from demo.machine import SENDER_DOMAIN
from demo.receiver.receiver import Receiver
from emta.client import Client
from emta.feedback.v1.log_pb2 import LogEntry, LogEvent
from emta.problems import Problem
from emta.relay.v1.message_pb2 import Message
from emta.relay.v1.relay_service_pb2 import SubmitResult
from services.bounce import app as bounce
from services.bounce.settings import BounceSettings
from services.chassis.settings import load_settings
from services.feedback import app as feedback
from services.feedback.settings import FeedbackSettings
from services.relay import app as relay
from services.relay.settings import RelaySettings
from services.signer import app as signer
from services.signer.keygen import make_key
from services.signer.settings import SignerSettings
from services.stack import PEERS
from tests.support.clock import ManualClock
from tests.support.eventually import eventually

CONTENT = (
    f"From: Shop <news@{SENDER_DOMAIN}>\r\nTo: you@alpha.example\r\nSubject: Hello\r\n\r\nHello, world.\r\n"
).encode()

EML = b"""From: Shop <news@shop.example>
To: {{name}} <{{email}}>
Subject: Dear {{name}}

Hello {{name}}
"""


@dataclass
class World:
    """The running stack, and what tests ask of it."""

    client: Client
    clock: ManualClock
    receiver: Receiver
    addresses: dict[str, str] = field(default_factory=dict)
    settings: dict[str, dict[str, str]] = field(default_factory=dict)  # of each service, also of those away

    async def submit(self, *messages: Message) -> list[SubmitResult]:
        return [result async for result in self.client.submit(messages)]

    async def entry(self, message_id: str = "m1", delivery: str = "d1") -> LogEntry:
        (entry,) = [e async for e in self.client.logs(delivery, message_ids=[message_id])]
        return entry

    async def until(self, status: Any, message_id: str = "m1", delivery: str = "d1") -> LogEntry:
        """Wait until a message's row has a status; time stands still meanwhile."""

        async def reached() -> LogEntry | None:
            entry = await self._row(message_id, delivery)
            return entry if entry is not None and entry.status == status else None

        return await eventually(reached, f"{message_id} to get status {status}")

    async def until_retries(self, count: int, message_id: str = "m1") -> LogEntry:
        """Wait until so many attempts of a message have failed."""

        async def reached() -> LogEntry | None:
            entry = await self._row(message_id, "d1")
            return entry if entry is not None and entry.retry_count >= count else None

        return await eventually(reached, f"{count} failed attempts of {message_id}")

    async def _row(self, message_id: str, delivery: str) -> LogEntry | None:
        try:
            rows = [e async for e in self.client.logs(delivery, message_ids=[message_id])]
        except Problem as problem:
            # Its first outcome has not been reported yet.
            assert problem.reason == "DELIVERY_UNKNOWN"  # noqa: PT017
            return None
        return rows[0] if rows else None

    async def events(self, delivery: str = "d1") -> list[LogEvent]:
        """All events of a delivery that is done."""
        return [event async for event in self.client.watch(delivery, stop_when_done=True)]


def message(rcpt: str, message_id: str = "m1", **fields: Any) -> Message:
    """A message as Campaign hands it over."""
    return Message(
        **{
            "message_id": message_id,
            "delivery_id": "d1",
            "mail_from": f"bounces@{SENDER_DOMAIN}",
            "rcpt_to": rcpt,
            "content": CONTENT,
            **fields,
        }
    )


@pytest.fixture
def clock() -> ManualClock:
    # Today: verifiers compare the signatures' times with their own clocks.
    return ManualClock(round(time.time() * 1000))


@pytest.fixture
def environ() -> dict[str, str]:
    """Settings that a test adds."""
    return {}


@pytest.fixture
def away() -> tuple[str, ...]:
    """Services that do not run: nobody listens where the Relay looks for them."""
    return ()


@pytest.fixture(scope="session")
def keys_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dkim")
    make_key(SENDER_DOMAIN, "s1", folder)
    return folder


@pytest.fixture
async def world(
    store: Redis,
    store_url: str,
    clock: ManualClock,
    keys_dir: Path,
    environ: dict[str, str],
    away: tuple[str, ...],
) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(Receiver(clock=clock))
        addresses: dict[str, str] = {}
        environs: dict[str, dict[str, str]] = {}
        settings = {
            "EMTA_SIGNER_KEYS_DIR": str(keys_dir),
            "EMTA_SIGNER_RELOAD_SECONDS": "0.05",
            "EMTA_BOUNCE_REDIS_URL": store_url,
            "EMTA_FEEDBACK_REDIS_URL": store_url,
            "EMTA_RELAY_REDIS_URL": store_url,
            "EMTA_RELAY_RESOLVERS": receiver.dns_address,
            "EMTA_RELAY_SMTP_PORT": str(receiver.smtp_port),
            "EMTA_RELAY_ALLOWED_NETWORKS": "127.0.0.0/8",
            "EMTA_RELAY_EHLO_NAME": "mta.shop.example",
            "EMTA_RELAY_COMMAND_TIMEOUT_SECONDS": "2",
            "EMTA_RELAY_DNS_TIMEOUT_SECONDS": "1",
            "EMTA_RELAY_IDLE_SECONDS": "0",
            "EMTA_RELAY_DRAIN_SECONDS": "2",
            **environ,
        }
        for name, app, cls in (
            ("signer", signer, SignerSettings),
            ("feedback", feedback, FeedbackSettings),
            ("bounce", bounce, BounceSettings),
            ("relay", relay, RelaySettings),
        ):
            own = environs[name] = {
                f"EMTA_{name.upper()}_LISTEN": "127.0.0.1:0",
                f"EMTA_{name.upper()}_DRAIN_SECONDS": "2",
                **{
                    key: value for key, value in settings.items() if key.startswith(f"EMTA_{name.upper()}_")
                },
            }
            for peer in PEERS.get(name, ()):
                own[f"EMTA_{name.upper()}_{peer.upper()}"] = addresses[peer]
            if name in away:
                addresses[name] = "127.0.0.1:1"
                continue
            running: Any = app.running(load_settings(cls, own), clock)  # type: ignore[attr-defined]
            addresses[name] = (await stack.enter_async_context(running)).address
        client = await stack.enter_async_context(
            Client(addresses["relay"], addresses["feedback"], addresses["bounce"])
        )
        yield World(client, clock, receiver, addresses, environs)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with a message and people: twenty that exist, one that does not, and a slip of the pen."""
    (tmp_path / "message.eml").write_bytes(EML)
    rows = [f"ok+{n}@alpha.example,Person {n}" for n in range(20)]
    rows += ["user-unknown@alpha.example,Nobody", "not-an-address,Typo"]
    (tmp_path / "people.csv").write_text("email,name\n" + "\n".join(rows) + "\n")
    return tmp_path
