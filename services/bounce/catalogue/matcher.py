"""Matching: which rules speak about a reply, in time linear in its length whatever patterns and text.

An automaton finds the literal words that patterns cannot do without, and only those patterns are searched
for whose words are there (re2::FilteredRE2). What the frame says against is left out, and of the rest the
first by declared order wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

import re2

from services.bounce.catalogue.rule import Rule, domains_above
from services.bounce.reply.frame import Frame

# RE2 is linear whatever the pattern; its size is the factor. Policy: the largest pattern that we ship has
# some 1,000 instructions, a counted repetition such as (.{1,500}){20} has hundreds of thousands.
_LARGEST_PROGRAM = 10_000
# What a pattern's automaton, which is made while it is used, may grow to; when that is full it begins anew.
_AUTOMATON_BYTES = 1024 * 1024
_TO_MEASURE_BYTES = 64 * 1024 * 1024
# Code, enhanced code, phase, failure and site come in few combinations: some hundred in a day's replies.
_FRAMES = 4_096
# One MX host per customer domain is usual at Microsoft.
_HOSTS = 16_384


class PatternError(ValueError):
    """A text pattern that RE2 does not take; the text says why."""


def compiled(pattern: str) -> re2._Regexp:
    """Compile a text pattern as rules are matched: whatever the case. Raises PatternError."""
    try:
        program = re2.compile(pattern, _options(_TO_MEASURE_BYTES))
    except re2.error as error:
        reason = error.args[0] if error.args else ""
        raise PatternError(
            reason.decode(errors="replace") if isinstance(reason, bytes) else reason
        ) from None
    if (size := program.programsize) > _LARGEST_PROGRAM:
        raise PatternError(f"a program of {size:,} instructions, over {_LARGEST_PROGRAM:,}")
    return program


class Matcher:
    """Finds the rules of one catalogue that speak about a reply. Rules are known by their place in it."""

    def __init__(self, rules: Sequence[Rule], providers: Mapping[str, Sequence[str]]) -> None:
        """`providers`: the domains of each provider's MX hosts. Raises PatternError."""
        self._rules = rules
        self._domains = frozenset(domain for rule in rules for domain in rule.mx)
        self._providers = providers
        patterns = (pattern for rule in rules for pattern in (*rule.text, *rule.unless))
        self._patterns = _Patterns(dict.fromkeys(patterns))
        numbers = self._patterns.numbers
        self._unwanted = [frozenset(numbers[pattern] for pattern in rule.unless) for rule in rules]
        self._by_pattern: dict[int, list[int]] = {number: [] for number in numbers.values()}
        for place, rule in enumerate(rules):
            for pattern in rule.text:
                self._by_pattern[numbers[pattern]].append(place)
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
        found = self._patterns.found_in(text)
        places = {place for number in found for place in self._by_pattern[number] if place in fitting}
        places.update(wordless)
        matching = []
        for place in sorted(places):
            if self._unwanted[place].isdisjoint(found):
                matching.append(place)
                if first_only:
                    break
        return matching

    def _fitting_uncached(self, frame: Frame) -> tuple[frozenset[int], list[int]]:
        """Give the rules that the frame speaks for: those with a text pattern, and those without."""
        fitting = [place for place, rule in enumerate(self._rules) if rule.fits(frame)]
        return (
            frozenset(place for place in fitting if self._rules[place].text),
            [place for place in fitting if not self._rules[place].text],
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


class _Patterns:
    """Text patterns by number. Those that need more than ASCII have an automaton of words of their own.

    A letter of theirs is several octets in two cases: in one automaton with the rest the states multiply,
    and a text takes three times as long as in both apart.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self.numbers = {pattern: number for number, pattern in enumerate(patterns)}
        groups: tuple[list[str], list[str]] = ([], [])
        for pattern in self.numbers:
            groups[pattern.isascii()].append(pattern)
        self._groups = [
            (_filter(group), [self.numbers[each] for each in group]) for group in groups if group
        ]

    def found_in(self, text: str) -> set[int]:
        """Give the numbers of the patterns that are found in the text."""
        octets = text.encode(errors="replace")
        return {numbers[place] for group, numbers in self._groups for place in group.Match(octets) or ()}


def _filter(patterns: Iterable[str]) -> re2.Filter:
    group = re2.Filter()
    for pattern in patterns:
        group.Add(pattern, _options(_AUTOMATON_BYTES))
    group.Compile()
    return group


def _options(memory: int) -> re2.Options:
    options = re2.Options()
    options.case_sensitive = False
    options.never_capture = True
    options.log_errors = False
    options.max_mem = memory
    return options
