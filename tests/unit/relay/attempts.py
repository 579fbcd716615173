"""Attempts at messages that no store has seen."""

from __future__ import annotations

import dataclasses
from typing import Any

from emta.relay.v1.message_pb2 import Message
from services.chassis.telemetry import begin_span
from services.relay.attempt import Attempt
from services.relay.store.record import Claimed


def an_attempt(message_id: str = "m1", domain: str = "b.example", **learned: Any) -> Attempt:
    """The first attempt at a message; `learned`: fields of its record that differ."""
    claimed = Claimed(
        number=b"1",
        shard=0,
        fence=b"fence.1",
        leased_until_ms=0,
        crashes=0,
        tenant="default",
        message=Message(message_id=message_id, delivery_id="d1", rcpt_to=f"x@{domain}"),
        traceparent="",
        needs_8bitmime=False,
        needs_smtputf8=False,
        accepted_ms=0,
        deadline_ms=0,
        body_sha256=b"",
        dictionary=b"",
        content=b"",
    )
    return Attempt(dataclasses.replace(claimed, **learned), begin_span("relay", "relay.attempt", "", {}))
