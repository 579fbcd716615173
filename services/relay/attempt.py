"""An attempt: a message at hand, and how far it is."""

from __future__ import annotations

from dataclasses import dataclass

from services.chassis.telemetry import MessageSpan
from services.relay.mx import Route
from services.relay.store.record import Claimed
from services.relay.transaction import Transaction


@dataclass(slots=True, eq=False)
class Attempt:
    """What is known grows on its way: the route first, then the signed transaction."""

    claimed: Claimed
    span: MessageSpan
    route: Route | None = None
    site: str = ""  # whose servers are asked
    waits: bool = False  # counted among what waits for the site
    transaction: Transaction | None = None

    @property
    def traceparent(self) -> str:
        """Trace context of this attempt."""
        return self.span.traceparent

    @property
    def header_octets(self) -> int:
        """Octets of the header block: what the Signer is sent of the message."""
        return self.claimed.content.find(b"\r\n\r\n") + 2

    @property
    def size(self) -> int:
        """Octets as sent, signature included; 0 before it is signed."""
        if self.transaction is None:
            return 0
        return len(self.transaction.signature) + len(self.transaction.content)
