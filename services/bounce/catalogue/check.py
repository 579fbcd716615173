"""`python -m services.bounce check [OVERRIDES]`: every sample of every rule behaves, every rule can win.

`--overlaps` lists the samples that more than one rule speaks about, with different meanings.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from services.bounce.catalogue.catalogue import Catalogue, load, sample_reply
from services.bounce.catalogue.matcher import compiled
from services.bounce.catalogue.rule import Rule, domains_above
from services.bounce.catalogue.rule_file import Provider, RuleError
from services.bounce.reply.masking import masked

# Policy: the widest shipped rules have about so many of the samples. Who takes more may, and is told.
_MUCH = 0.05


@dataclass(frozen=True)
class Overlap:
    """A sample that `winner` takes and `other`, later in order, would give another meaning."""

    sample: str
    winner: Rule
    other: Rule


def complaints(catalogue: Catalogue, rules: Sequence[Rule] | None = None) -> list[str]:
    """Say what is wrong with `rules` (None: all), a line each; nothing when everything behaves."""
    found = list(_shadowed(catalogue))
    chosen = catalogue.rules if rules is None else rules
    for rule in chosen:
        found += _of_samples(catalogue, rule)
        found += _of_patterns(rule)
        found += _of_sites(catalogue, rule)
    if rules is None:
        found += [
            f"{rule.where}: has no not_samples" for rule in chosen if rule.text and not rule.not_samples
        ]
        for provider in catalogue.providers.values():
            found += _of_provider(provider)
        if catalogue.rules[-1].matchers != _EVERYTHING:
            found.append(f"{catalogue.rules[-1].where}: is the last, and does not match everything")
    return found


_EVERYTHING: tuple[object, ...] = (
    frozenset(),
    frozenset(),
    frozenset(),
    frozenset(),
    frozenset(),
    frozenset(),
    frozenset(),
)


def warnings(catalogue: Catalogue) -> list[str]:
    """Say which overrides take much of what shipped rules are for: their own samples do not show it."""
    samples = [sample for rule in catalogue.rules[catalogue.overrides :] for sample in rule.samples]
    winners = (catalogue.match(sample_reply(sample)) for sample in samples)
    taken = Counter(winner.id for winner in winners if winner)
    return [
        f"{rule.where}: takes {taken[rule.id]:,} of the {len(samples):,} samples that are shipped"
        for rule in catalogue.rules[: catalogue.overrides]
        if taken[rule.id] > _MUCH * len(samples)
    ]


def overlaps(catalogue: Catalogue) -> list[Overlap]:
    """Find samples that several rules with words speak about, with different meanings."""
    found = []
    for rule in catalogue.rules:
        for sample in rule.samples:
            winner, *others = catalogue.matching(sample_reply(sample)) or [rule]
            found += [
                Overlap(sample, winner, other)
                for other in others
                if other.text and other.outcome != winner.outcome
            ]
    return found


def _shadowed(catalogue: Catalogue) -> Iterator[str]:
    first: dict[tuple[object, ...], Rule] = {}
    for rule in catalogue.rules:
        if (other := first.setdefault(rule.matchers, rule)) is not rule:
            yield f"{rule.where}: can never win, {other.id} matches the same"


def _of_samples(catalogue: Catalogue, rule: Rule) -> Iterator[str]:
    if not rule.samples:
        yield f"{rule.where}: has no samples"
    for sample in (*rule.samples, *rule.not_samples):
        try:
            winner = catalogue.match(sample_reply(sample))
        except ValueError as error:
            yield f"{rule.where}: {sample!r} is no sample: {error}"
            continue
        if sample in rule.not_samples:
            if winner is rule:
                yield f"{rule.where}: takes {sample!r}, which it should not"
        elif winner is not rule:
            yield f"{rule.where}: {sample!r} is taken by {winner.id if winner else 'no rule'}"


def _of_patterns(rule: Rule) -> Iterator[str]:
    for key, patterns in (("text", rule.text), ("unless", rule.unless)):
        if any(compiled(pattern).search("") is not None for pattern in patterns):
            yield f"{rule.where}: {key} is found in every reply"
    texts = list(_texts(rule))
    for pattern in rule.text if texts else ():
        if not any(compiled(pattern).search(text) for text in texts):
            yield f"{rule.where}: text {pattern!r} is found in none of its samples"


def _texts(rule: Rule) -> Iterator[str]:
    """Give what patterns see of the samples. Those that are none are complained of elsewhere."""
    for sample in rule.samples:
        with suppress(ValueError):
            yield masked(sample_reply(sample).text)


def _of_sites(catalogue: Catalogue, rule: Rule) -> Iterator[str]:
    hosts = {
        domain
        for each in catalogue.providers.values()
        for host in each.hosts
        for domain in domains_above(host)
    }
    for domain in rule.mx:
        if domain not in hosts:
            yield f"{rule.where}: mx {domain}: no provider has an MX host there; add [provider.NAME]"


def _of_provider(provider: Provider) -> Iterator[str]:
    where = f"{provider.file}: provider {provider.name}"
    for host in provider.hosts:
        if not set(domains_above(host)) & set(provider.mx):
            yield f"{where}: the MX host {host} lies in none of its domains"
    for domain in provider.mx:
        if not any(domain in domains_above(host) for host in provider.hosts):
            yield f"{where}: no MX host is known in {domain}"


def main(arguments: list[str]) -> int:
    """Check the shipped catalogue, with overrides where they are given; gives the exit code."""
    paths = [each for each in arguments if each != "--overlaps"]
    if len(paths) > 1 or any(each.startswith("-") for each in paths):
        print("usage: python -m services.bounce check [--overlaps] [OVERRIDES]", file=sys.stderr)
        return 2
    try:
        catalogue = load(Path(paths[0]) if paths else None)
    except RuleError as error:
        print(f"bounce check: {error}", file=sys.stderr)
        return 2
    # Shipped samples need not hold against overrides: to change what they mean is what those are for.
    lines = complaints(catalogue, catalogue.rules[: catalogue.overrides] if paths else None)
    both = overlaps(catalogue)
    if "--overlaps" in arguments:
        _print(f"{each.sample!r}: {each.winner.id}, also {each.other.id}" for each in both)
    _print(lines)
    _print(f"warning: {line}" for line in warnings(catalogue))
    if not lines:
        print(
            f"{len(catalogue.rules)} rules, version {catalogue.version}: every sample behaves, "
            f"{len(both)} overlaps"
        )
    return 1 if lines else 0


def _print(lines: Iterable[str]) -> None:
    for line in lines:
        print(line)
