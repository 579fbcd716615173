"""The oracle: what was lost and what came twice, by the word of those outside the system only.

Three witnesses: the source (which acceptances it was given), the receivers' journal (what they took), and
Feedback's log as any client reads it. No counter, queue or store of the system is asked.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from chaos.sites import Delivery
from emta.client import Client
from emta.feedback.v1.log_pb2 import LogEffect, LogEntry, LogEvent, LogStatus
from emta.problems import Problem

SENT, FAILED = LogStatus.LOG_STATUS_SENT, LogStatus.LOG_STATUS_FAILED
_FINAL = (SENT, FAILED)
_LOOK_SECONDS = 0.1
_EXAMPLES = 3


def no_such_user(message_id: str) -> bool:
    """Whether a message has to fail: the sites do not know its recipient."""
    return message_id.startswith("unknown-")


@dataclass
class Verdict:
    """What became of the messages of a row."""

    accepted: int
    sent: int = 0
    failed: int = 0
    # Accepted, and without a final status at the end.
    lost: list[str] = field(default_factory=list)
    # Deliveries of a message beyond the first.
    duplicates: list[Delivery] = field(default_factory=list)
    # Messages that came twice although every delivery but one ought to have been recorded.
    unexcused: list[str] = field(default_factory=list)
    # Where the witnesses contradict each other, a line each.
    contradictions: list[str] = field(default_factory=list)


class Oracle:
    """Follows Feedback's log from the beginning and judges at the end."""

    def __init__(self, client: Client, delivery: str) -> None:
        self._client = client
        self._delivery = delivery
        self._cursor = ""
        self.position = 0
        self._gaps = 0
        self._conflicts: list[str] = []
        self._disordered: list[str] = []
        self._sequences: dict[str, int] = {}
        self.rows: dict[str, LogEntry] = {}  # as they stood at the verdict
        self.final: dict[str, float] = {}  # when (monotonic) a message's final status was read
        self.finals: Counter[str] = Counter()
        self.held: Counter[int] = Counter()  # by cause: how often a message was said to wait for us

    async def watch(self) -> None:
        """Follow the log until cancelled, over all that happens to Feedback."""
        while True:
            try:
                async for event in self._client.watch(self._delivery, cursor=self._cursor):
                    self.note(event)
            except Problem:
                await asyncio.sleep(_LOOK_SECONDS)

    def note(self, event: LogEvent) -> None:
        """Take notice of an event of the log, as `watch` does."""
        self._cursor = event.cursor
        self._gaps += event.position != self.position + 1
        self.position = event.position
        message_id = event.outcome.message_id
        if event.outcome.sequence != self._sequences.get(message_id, 0) + 1:
            self._disordered.append(message_id)
        self._sequences[message_id] = event.outcome.sequence
        if event.outcome.HasField("hold"):
            self.held[event.outcome.hold.cause] += 1
        if event.effect == LogEffect.LOG_EFFECT_CONFLICT:
            self._conflicts.append(message_id)
        if event.status_after in _FINAL and event.status_before not in _FINAL:
            self.final.setdefault(message_id, time.monotonic())
            self.finals[message_id] += 1

    async def until_final(self, accepted: Callable[[], Collection[str]], patience_seconds: float) -> bool:
        """Wait until all `accepted` messages have a final status; gives up when long none did."""
        known, since = len(self.final), time.monotonic()
        while not all(message_id in self.final for message_id in accepted()):
            if len(self.final) != known:
                known, since = len(self.final), time.monotonic()
            elif time.monotonic() - since > patience_seconds:
                return False
            await asyncio.sleep(_LOOK_SECONDS)
        return True

    def recovery_seconds(self, accepted: Mapping[str, float], since: float) -> float:
        """From `since`, the end of a fault, until all that was accepted before had its final status."""
        times = [self.final.get(message_id, since) for message_id, at in accepted.items() if at <= since]
        return max(0.0, max(times, default=since) - since)

    async def verdict(
        self,
        accepted: Collection[str],
        deliveries: Mapping[str, Sequence[Delivery]],
        excused: Collection[Delivery] = (),
        fails: Callable[[str], bool] = no_such_user,
    ) -> Verdict:
        """Judge. `excused`: deliveries that the Relay could not record, so that another had to follow;
        `fails`: whether a message has to fail, by its id."""
        rows = self.rows = {entry.message_id: entry async for entry in self._client.logs(self._delivery)}
        verdict = Verdict(len(accepted))
        verdict.lost = sorted(i for i in accepted if i not in rows or rows[i].status not in _FINAL)
        verdict.sent = sum(rows[i].status == SENT for i in accepted if i in rows)
        verdict.failed = sum(rows[i].status == FAILED for i in accepted if i in rows)
        unrecorded = {id(delivery) for delivery in excused}
        for message_id, found in deliveries.items():
            verdict.duplicates += found[1:]
            if sum(id(delivery) not in unrecorded for delivery in found) > 1:
                verdict.unexcused.append(message_id)
        kpis = await self._client.kpis(self._delivery)
        figures = (kpis.accepted, kpis.sent, kpis.failed)
        if figures != (len(accepted), verdict.sent, verdict.failed):
            verdict.contradictions.append(
                f"KPIs say accepted, sent, failed = {figures}; the source and the log say "
                f"{(len(accepted), verdict.sent, verdict.failed)}"
            )
        verdict.contradictions += self._contradictions(accepted, deliveries, fails)
        return verdict

    def _contradictions(
        self,
        accepted: Collection[str],
        deliveries: Mapping[str, Sequence[Delivery]],
        fails: Callable[[str], bool],
    ) -> list[str]:
        rows = self.rows
        found = {
            "Sent though it had to fail": [i for i, e in rows.items() if e.status == SENT and fails(i)],
            "Failed without reason": [i for i, e in rows.items() if e.status == FAILED and not fails(i)],
            "Sent without a delivery": [
                i for i, e in rows.items() if e.status == SENT and i not in deliveries
            ],
            "Failed though delivered": [
                i for i, e in rows.items() if e.status == FAILED and i in deliveries
            ],
            "delivered though never accepted": [i for i in deliveries if i not in accepted],
            "in the log though never accepted": [i for i in rows if i not in accepted],
            "delivered unsigned": [i for i, d in deliveries.items() if not all(one.signed for one in d)],
            "more than one final status": [i for i, times in self.finals.items() if times > 1],
            "an outcome after the final status": self._conflicts,
            "outcomes out of sequence": self._disordered,
        }
        lines = [
            f"{what}: {len(ids)} ({', '.join(sorted(ids)[:_EXAMPLES])})"
            for what, ids in found.items()
            if ids
        ]
        if self._gaps:
            lines.append(f"gaps in the positions of the log: {self._gaps}")
        return lines
