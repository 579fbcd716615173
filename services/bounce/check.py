"""`python -m services.bounce check`: every sample of every rule behaves."""

from __future__ import annotations

from services.bounce.catalogue import Catalogue, load, sample_reply


def complaints(catalogue: Catalogue) -> list[str]:
    """Say what is wrong with the rules, a line each; nothing when all samples behave."""
    found = []
    for rule in catalogue.rules:
        if not rule.samples:
            found.append(f"{rule.id}: has no samples")
        for sample in rule.samples:
            winner = catalogue.match(sample_reply(sample))
            if winner is not rule:
                found.append(f"{rule.id}: {sample!r} is taken by {winner.id if winner else 'no rule'}")
        for sample in rule.not_samples:
            if catalogue.match(sample_reply(sample)) is rule:
                found.append(f"{rule.id}: takes {sample!r}, which it should not")
    return found


def main(arguments: list[str]) -> int:
    """Check the shipped catalogue; gives the exit code."""
    catalogue = load()
    lines = complaints(catalogue)
    for line in lines:
        print(line)
    if not lines:
        print(f"{len(catalogue.rules)} rules, version {catalogue.version}: every sample behaves")
    return 1 if lines else 0
