"""What a receiving server is like, whoever the recipient is."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Starttls(enum.Enum):
    """How a server treats STARTTLS (RFC 3207)."""

    OFFERED = "offered"
    ABSENT = "absent"
    BROKEN = "broken"  # offered and agreed to, then the handshake fails


@dataclass(frozen=True)
class Traits:
    """One receiving server.

    banner: a whole reply, such as "554 5.7.1 No", instead of the greeting.
    size: octets announced with SIZE (RFC 1870); None: not announced.
    messages_per_connection: 421 is the answer to the MAIL after so many messages; None: no limit.
    slow_seconds: how long the recipient "slow" waits for the answer to the final dot.
    greylist_seconds: for how long the recipient "greylist" is refused after its first attempt;
        real ones take minutes, but nobody waits so long for a demo.
    """

    listens: bool = True
    silent: bool = False
    banner: str | None = None
    helo_only: bool = False
    starttls: Starttls = Starttls.OFFERED
    pipelining: bool = True
    eight_bit_mime: bool = True
    smtputf8: bool = True
    enhanced_codes: bool = True
    size: int | None = 50 * 1024 * 1024
    messages_per_connection: int | None = None
    slow_seconds: float = 0.5
    greylist_seconds: int = 5

    def extensions(self, *, tls: bool) -> list[str]:
        """The lines of the EHLO answer after the first (RFC 5321 section 4.1.1.1)."""
        offered = {
            "PIPELINING": self.pipelining,
            "8BITMIME": self.eight_bit_mime,
            "SMTPUTF8": self.smtputf8,
            "ENHANCEDSTATUSCODES": self.enhanced_codes,
            f"SIZE {self.size}": self.size is not None,
            "STARTTLS": self.starttls is not Starttls.ABSENT and not tls,
        }
        return [line for line, is_offered in offered.items() if is_offered]
