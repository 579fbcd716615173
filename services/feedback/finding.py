"""By what messages are found whose names nobody knows: Message-ID and recipient."""

from __future__ import annotations

from hashlib import blake2b

from emta.feedback.v1.outcome_pb2 import Outcome
from services.chassis.domain_names import folded

# For how long after their acceptance: 3.5 days of validity, seven in which a bounce counts, and some more.
DAYS = 12
DAY_MS = 86_400_000
# Among the 240 million entries of twelve days at ten million messages a day, one look-up in 10^10 finds a
# wrong one.
_DIGEST_OCTETS = 8


def by_message_id(header_message_id: str) -> bytes:
    """Digest of a Message-ID, with or without angle brackets and blanks."""
    return _digest(b"message-id", "".join(header_message_id.split()).strip("<>"))


def by_recipient(address: str) -> bytes:
    """Digest of an address, its domain in any alphabet; of what is no address, too."""
    return _digest(b"recipient", folded(address))


def index_entry(outcome: Outcome) -> bytes:
    """Give what the index gets of a message that was taken into account: its day, and its digests."""
    day = outcome.event_time.seconds * 1_000 // DAY_MS
    message_id = outcome.taken_into_account.header_message_id
    by_id = by_message_id(message_id) if message_id else b""
    return day.to_bytes(4, "big") + by_id + by_recipient(outcome.recipient)


def _digest(kind: bytes, text: str) -> bytes:
    octets = text.encode(errors="surrogatepass")
    return blake2b(octets, digest_size=_DIGEST_OCTETS, person=kind).digest()
