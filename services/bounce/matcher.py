"""Matching: which rules speak about a reply, in time linear in its length whatever patterns and text.

All text patterns run at once, as one automaton (RE2::Set); what the frame says against is left out, and
of the rest the first by declared order wins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import re2

from services.bounce.rule import Frame, Rule, domains_above

# Memory of the automaton of all patterns; it is a cache, which begins anew when it is full.
_AUTOMATON_BYTES = 64 * 1024 * 1024
# Code, enhanced code, phase, failure and site come in few combinations: some hundred in a day's replies.
_FRAMES = 4_096
# One MX host per customer domain is usual at Microsoft.
_HOSTS = 16_384


class PatternError(ValueError):
    """A text pattern that RE2 does not take; the text says why."""


def compiled(pattern: str) -> re2._Regexp:
    """Compile a text pattern as rules are matched: whatever the case. Raises PatternError."""
    try:
        return re2.compile(pattern, _options())
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        raise PatternError(
            reason.decode(errors="replace") if isinstance(reason, bytes) else reason
        ) from None


class Matcher:
    """Finds the rules of one catalogue that speak about a reply. Rules are known by their place in it."""

    def __init__(self, rules: Sequence[Rule], providers: Mapping[str, Sequence[str]]) -> None:
        """`providers`: the domains of each provider's MX hosts. Raises PatternError."""
        self._rules = rules
        self._domains = frozenset(domain for rule in rules for domain in rule.mx)
        self._providers = providers
        self._set = re2.Set.SearchSet(_options())
        numbers: dict[str, int] = {}
        for pattern in (each for rule in rules for each in (rule.text, rule.unless) if each is not None):
            if pattern not in numbers:
                compiled(pattern)
                numbers[pattern] = self._set.Add(pattern)
        self._has_patterns = bool(numbers)
        if numbers:
            try:
                self._set.Compile()
            except re2.error:
                raise PatternError("the patterns of all rules together are too large") from None
        self._wanted = [None if rule.text is None else numbers[rule.text] for rule in rules]
        self._unwanted = [None if rule.unless is None else numbers[rule.unless] for rule in rules]
        self._by_pattern = {number: [] for number in numbers.values()}  # type: dict[int, list[int]]
        for place, number in enumerate(self._wanted):
            if number is not None:
                self._by_pattern[number].append(place)
        # Per instance: a catalogue that is replaced takes what it remembered with it.
        self._fitting = lru_cache(_FRAMES)(self._fitting_uncached)
        self.site_of_host = lru_cache(_HOSTS)(self._site_of_host_uncached)
        self.site_of_provider = lru_cache(_FRAMES)(self._site_of_provider_uncached)

    def first(self, frame: Frame, text: str) -> int | None:
        """Give the first rule that speaks about a reply with the masked text `text`."""
        return next(iter(self._matching(frame, text, first_only=True)), None)

    def all(self, frame: Frame, text: str) -> list[int]:
        """Give all rules that speak about it, in order."""
        return self._matching(frame, text, first_only=False)

    def _matching(self, frame: Frame, text: str, *, first_only: bool) -> list[int]:
        fitting, wordless = self._fitting(frame)
        found = set(self._set.Match(text) or ()) if self._has_patterns else set()
        places = [place for number in found for place in self._by_pattern[number] if place in fitting]
        places += wordless
        places.sort()
        matching = []
        for place in places:
            if self._unwanted[place] not in found:
                matching.append(place)
                if first_only:
                    break
        return matching

    def _fitting_uncached(self, frame: Frame) -> tuple[frozenset[int], list[int]]:
        """Give the rules that the frame speaks for: those with a text pattern, and those without."""
        fitting = [place for place, rule in enumerate(self._rules) if rule.fits(frame)]
        return (
            frozenset(place for place in fitting if self._wanted[place] is not None),
            [place for place in fitting if self._wanted[place] is None],
        )

    def _site_of_host_uncached(self, host: str) -> tuple[str, ...]:
        """Give the domains that rules name and the MX host lies in."""
        return tuple(domain for domain in domains_above(host) if domain in self._domains)

    def _site_of_provider_uncached(self, name: str) -> tuple[str, ...]:
        """Give the domains that a provider's MX hosts may lie in; none where nobody knows the provider."""
        own = self._providers.get(name, ())
        return tuple(
            sorted(
                domain
                for domain in self._domains
                if any(
                    f".{domain}".endswith(f".{each}") or f".{each}".endswith(f".{domain}") for each in own
                )
            )
        )


def _options() -> re2.Options:
    options = re2.Options()
    options.case_sensitive = False
    options.never_capture = True
    options.log_errors = False
    options.max_mem = _AUTOMATON_BYTES
    return options
