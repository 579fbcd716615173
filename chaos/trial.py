"""A row of the suite being tried: its world, what it expects, what came of it."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from chaos import world
from chaos.oracle import Verdict, no_such_user
from chaos.sites import Delivery
from chaos.world import Plan, World

# The size that CI runs: `times` counts in multiples of it.
CI_MESSAGES = 2_000
# Without a final status for anything for so long, nothing more is waited for.
_PATIENCE_SECONDS = 35.0
_EXAMPLES = 3


class Skipped(Exception):
    """The row cannot be tried here; the text says why."""


@dataclass
class Trial:
    """One row on its way. `failures` says, a line each, what did not hold."""

    folder: Path
    messages: int  # at least so many in all worlds of the row together
    lease_seconds: float
    random: random.Random
    progress: Callable[[str], None]
    scale: int = 1
    failures: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    accepted: int = 0
    lost: int = 0
    duplicates: int = 0
    recovery_seconds: float = 0.0
    _worlds: int = 0

    def times(self, count: int) -> int:
        """How often to repeat what CI repeats `count` times."""
        return count * self.scale

    @asynccontextmanager
    async def world(self, plan: Plan | None = None) -> AsyncIterator[World]:
        """A world of the row's own."""
        self._worlds += 1
        folder = self.folder / str(self._worlds)
        async with world.running(
            folder, plan or Plan(), lease_seconds=self.lease_seconds, messages=self.messages
        ) as running:
            running.healed()
            yield running

    def expect(self, holds: bool, otherwise: str) -> None:
        """Note a failure unless something holds."""
        if not holds:
            self.failures.append(otherwise)

    async def judge(
        self,
        tried: World,
        *,
        excused: Collection[Delivery] = (),
        most_duplicates: int | None = None,
        recovery_seconds: float | None = None,
        fails: Callable[[str], bool] = no_such_user,
    ) -> Verdict:
        """Wait until all is final, and hold it against what every row promises.

        excused: deliveries that nobody could record. recovery_seconds: at most so many. fails: whether a
        message has to fail, by its id.
        """
        self.progress("waiting for the last final statuses")
        source, oracle = tried.source, tried.oracle
        await oracle.until_final(lambda: source.accepted, _PATIENCE_SECONDS)
        verdict = await oracle.verdict(source.accepted, tried.sites.deliveries(), excused, fails)
        recovery = oracle.recovery_seconds(source.accepted, tried.fault_over)
        self.accepted += verdict.accepted
        self.lost += len(verdict.lost)
        self.duplicates += len(verdict.duplicates)
        self.recovery_seconds = max(self.recovery_seconds, recovery)
        self.expect(not source.unanswered, f"{source.unanswered} messages were never answered")
        self.expect(not verdict.lost, _list("lost", verdict.lost))
        self.expect(not verdict.unexcused, _list("duplicates that nothing excuses", verdict.unexcused))
        self.failures += verdict.contradictions
        if most_duplicates is not None:
            count = len(verdict.duplicates)
            self.expect(count <= most_duplicates, f"{count} duplicates, {most_duplicates} allowed")
        if recovery_seconds is not None:
            self.expect(
                recovery <= recovery_seconds,
                f"recovery took {recovery:.1f} s, {recovery_seconds:.1f} s allowed",
            )
        return verdict


@dataclass(frozen=True)
class Row:
    """A row of the fault matrix. share: of the messages of a run, what its load has at least."""

    name: str
    what: str
    promise: str
    share: float
    run: Callable[[Trial], Awaitable[None]]


def _list(what: str, ids: Collection[str]) -> str:
    return f"{what}: {len(ids)} ({', '.join(sorted(ids)[:_EXAMPLES])})"
