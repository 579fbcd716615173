"""The rules in force: what is shipped and the operator's overrides, which change without a restart."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, suppress
from pathlib import Path

from services.bounce.catalogue import check
from services.bounce.catalogue.catalogue import Catalogue, load, override_paths
from services.bounce.catalogue.rule_file import RuleError
from services.bounce.qualify import Qualifier
from services.bounce.rows import edit
from services.chassis.background import beside
from services.chassis.clock import Clock
from services.chassis.logs import Log

# How soon an edited file is in force. A look costs one stat() a file.
_LOOK_MS = 2_000

_log = Log("bounce")

Signature = tuple[tuple[str, int, int, int], ...]


class LiveRules:
    """Holds the rules in force. Overrides that are broken are refused; what was in force stays so.

    `error`: why the overrides were refused when they were read last; empty when they are in force.
    """

    def __init__(self, overrides: Path | None = None) -> None:
        """Load the rules. `overrides`: a file or folder. Raises RuleError."""
        self._overrides = overrides
        self._seen = _signature(overrides)
        self._reloading = asyncio.Lock()
        self._edits: edit.Edits = edit.NONE
        self.qualifier = Qualifier(checked(overrides))
        self.error = ""
        self._say("rules in force", overlaps=len(check.overlaps(self.qualifier.catalogue)))

    async def reload(self) -> None:
        """Read the overrides again. Raises RuleError where they are refused."""
        async with self._reloading:
            self._seen = _signature(self._overrides)
            try:
                # In a thread: some hundred patterns take a while to compile, and replies keep coming.
                catalogue = await asyncio.to_thread(checked, self._overrides)
            except RuleError as error:
                self.error = str(error)
                _log.error("rules refused", problem=self.error, in_force=self.qualifier.catalogue.version)
                raise RuleError(self.error) from None
            self.error = ""
            if catalogue.version != self.qualifier.catalogue.version:
                # With the qualifier goes what it remembered of the old rules' answers.
                self.qualifier = Qualifier(catalogue, self._edits)
                self._say("rules in force", overlaps=len(check.overlaps(catalogue)))

    def use(self, edits: edit.Edits) -> None:
        """Have operators' words decide before the rules."""
        if edits != self._edits:
            self._edits = edits
            # With the qualifier goes what it remembered of answers without them.
            self.qualifier = Qualifier(self.qualifier.catalogue, edits)

    def following(self, clock: Clock) -> AbstractAsyncContextManager[None]:
        """Reload whenever the overrides' files change, until the block ends."""
        return beside(lambda: self._follow(clock), _log)

    async def _follow(self, clock: Clock) -> None:
        while self._overrides is not None:
            await clock.sleep_until(clock.now_ms() + _LOOK_MS)
            if _signature(self._overrides) != self._seen:
                with suppress(RuleError):  # logged, and shown by GetRules until it is repaired
                    await self.reload()

    def _say(self, event: str, **fields: int) -> None:
        catalogue: Catalogue = self.qualifier.catalogue
        _log.info(
            event,
            version=catalogue.version,
            rules=len(catalogue.rules),
            overrides=catalogue.overrides,
            **fields,
        )


def checked(overrides: Path | None) -> Catalogue:
    """Load rules whose overrides all behave. Raises RuleError."""
    catalogue = load(overrides)
    if wrong := check.complaints(catalogue, catalogue.rules[: catalogue.overrides]):
        raise RuleError(wrong[0])
    return catalogue


def _signature(path: Path | None) -> Signature:
    """Tell a set of files from another without reading it."""
    if path is None:
        return ()
    found = []
    with suppress(OSError):  # gone: that differs, too
        for each in override_paths(path):
            state = each.stat()
            found.append((each.name, state.st_ino, state.st_mtime_ns, state.st_size))
    return tuple(found)
