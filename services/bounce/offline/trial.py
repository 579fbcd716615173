"""`python -m services.bounce try OVERRIDES`: past replies that an override would give another meaning.

Replies come as JSON lines on standard input, as for `qualify`. Before: the rules in force, those of
EMTA_BOUNCE_RULES included. After: with OVERRIDES beside them, a file of the same name replaced. A JSON line
for each reply that changes, and how many on standard error.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

from services.bounce.catalogue.catalogue import Catalogue, override_files, parse, shipped_files
from services.bounce.catalogue.check import complaints, warnings
from services.bounce.catalogue.rule_file import RuleError
from services.bounce.offline.replies import BadLines, as_row, failed, input_lines, read_replies
from services.bounce.qualify import Qualifier
from services.bounce.settings import BounceSettings
from services.chassis.settings import SettingsError, load_settings

# What a change is made of. Another rule with the same meaning changes nothing.
_COMPARED = ("type", "reason", "momentum_class", "severity", "cause")


def before_and_after(in_force: Path | None, tried: Path) -> tuple[Catalogue, Catalogue]:
    """Load the rules in force, and those with the overrides that are tried. Raises RuleError."""
    shipped = shipped_files()
    files = dict(override_files(in_force)) if in_force else {}
    before = parse(shipped, sorted(files.items()))
    after = parse(shipped, sorted({**files, **dict(override_files(tried))}.items()))
    if wrong := complaints(after, after.rules[: after.overrides]):
        raise RuleError(wrong[0])
    return before, after


def main(arguments: list[str]) -> int:
    """Compare; gives the exit code."""
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python -m services.bounce try OVERRIDES < replies.jsonl", file=sys.stderr)
        return 2
    try:
        catalogues = before_and_after(load_settings(BounceSettings).rules, Path(arguments[0]))
        before, after = map(Qualifier, catalogues)
        replies, bad, changes = 0, 0, Counter[str]()
        for row, reply in read_replies(input_lines()):
            if reply is None:
                bad += 1
                print(json.dumps(row))
                continue
            replies += 1
            provider = row.get("provider") or ""
            old, new = (as_row(row, each.answer(reply, provider).meaning) for each in (before, after))
            if all(old[name] == new[name] for name in _COMPARED):
                continue
            changes[f"{old['type']} {old['reason']} -> {new['type']} {new['reason']}"] += 1
            del old["id"], new["id"]
            print(json.dumps({"id": row.get("id"), "text": reply.text, "before": old, "after": new}))
    except (RuleError, SettingsError, OSError) as error:
        return failed("try", error)
    for change, count in changes.most_common():
        print(f"{count:8,} {change}", file=sys.stderr)
    print(f"{changes.total():8,} of {replies:,} replies would change", file=sys.stderr)
    for line in warnings(catalogues[1]):
        print(f"warning: {line}", file=sys.stderr)
    return failed("try", BadLines(bad)) if bad else 0
