"""What happened at the receiver: the oracle of the tests and the figures of the demo."""

from __future__ import annotations

import base64
import dataclasses
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from services.chassis.clock import Clock


@dataclass(frozen=True)
class Envelope:
    """Where and how a transaction came in.

    site: the domain the server was made for; host: the server's name; client: the sender's address.
    session: number of the connection, from 1; number_in_session: of the transaction in it, from 1.
    tls: "TLSv1.3" and the like; "" for a connection in the clear.
    mail_params: of the MAIL command, names in upper case, "" for those without a value.
    """

    site: str
    host: str
    client: str
    session: int
    number_in_session: int
    tls: str
    mail_from: str
    mail_params: Mapping[str, str]


@dataclass(frozen=True)
class Entry(Envelope):
    """What became of one recipient. time_ms: Unix time."""

    time_ms: int
    rcpt: str

    @property
    def domain(self) -> str:
        """The recipient's domain, as the sender wrote it."""
        return self.rcpt.rpartition("@")[2]


@dataclass(frozen=True)
class Accepted(Entry):
    """One message for one recipient, taken. content: with the dots unstuffed, CRLF at its end.

    answered: False where the receiver has taken the message and the sender was not told.
    """

    content: bytes
    answered: bool


@dataclass(frozen=True)
class Refused(Entry):
    """One recipient, refused. stage: "RCPT", "DATA" or "DOT"; reply: "" when the line was just cut."""

    stage: str
    reply: str


class Journal:
    """Everything the mail servers saw, in order.

    connections: connections opened so far, by site; at_once and most_at_once: open now, and at the most.
    violations: what senders did against the standards, as text; empty for a good sender.
    file: gets a JSON line for each message taken and each refusal.
    keep_content: False forgets the contents, for long runs.
    """

    def __init__(self, clock: Clock, file: Path | None = None, *, keep_content: bool = True) -> None:
        self.messages: list[Accepted] = []
        self.refusals: list[Refused] = []
        self.violations: list[str] = []
        self.connections: Counter[str] = Counter()
        self.at_once: Counter[str] = Counter()
        self.most_at_once: Counter[str] = Counter()
        self._clock = clock
        self._keep_content = keep_content
        self._accepted: dict[str, list[Accepted]] = defaultdict(list)
        self._refused: dict[str, list[Refused]] = defaultdict(list)
        self._file: TextIO | None = file.open("a", encoding="utf-8", buffering=1) if file else None

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    # -- reading

    def accepted(self, rcpt: str) -> Sequence[Accepted]:
        """The messages taken for `rcpt`, the oldest first."""
        return self._accepted.get(rcpt, [])

    def refused(self, rcpt: str) -> Sequence[Refused]:
        """The refusals of `rcpt`, the oldest first."""
        return self._refused.get(rcpt, [])

    # -- writing: the mail servers

    def connected(self, site: str) -> int:
        """Count a connection and give its number."""
        self.connections[site] += 1
        self.at_once[site] += 1
        self.most_at_once[site] = max(self.most_at_once[site], self.at_once[site])
        return self.connections.total()

    def disconnected(self, site: str) -> None:
        self.at_once[site] -= 1

    def accept(self, rcpt: str, envelope: Envelope, content: bytes, *, answered: bool = True) -> None:
        entry = Accepted(
            **vars(envelope), time_ms=self._clock.now_ms(), rcpt=rcpt, content=content, answered=answered
        )
        self._write("accepted", entry)
        if not self._keep_content:
            entry = dataclasses.replace(entry, content=b"")
        self.messages.append(entry)
        self._accepted[rcpt].append(entry)

    def refuse(self, rcpt: str, envelope: Envelope, stage: str, reply: str) -> None:
        entry = Refused(**vars(envelope), time_ms=self._clock.now_ms(), rcpt=rcpt, stage=stage, reply=reply)
        self._write("refused", entry)
        self.refusals.append(entry)
        self._refused[rcpt].append(entry)

    def violate(self, envelope: Envelope, what: str) -> None:
        self.violations.append(f"{envelope.host}, session {envelope.session}: {what}")

    def _write(self, event: str, entry: Accepted | Refused) -> None:
        if self._file is None:
            return
        line: dict[str, object] = {"event": event, "domain": entry.domain, **dataclasses.asdict(entry)}
        if isinstance(entry, Accepted):
            line["content"] = base64.b64encode(entry.content).decode()
        self._file.write(json.dumps(line, ensure_ascii=True) + "\n")
