"""A qualification row as a reply rule: TOML for the folder that EMTA_BOUNCE_RULES names."""

from __future__ import annotations

import json
import re

from emta.bounce.v1.qualification_pb2 import (
    BounceCode,
    Cause,
    Disposition,
    FailureReason,
    FailureType,
    Scope,
)
from emta.bounce.v1.qualifications_service_pb2 import QualificationRow
from emta.cli import words

_MARK = re.compile(r" ?\.\.\. ?|#xxx#|\*")
_SPECIAL = re.compile(r"[.^$*+?{}\[\]\\|()]")
_SLUG = re.compile(r"[a-z]{3,}")
# Enough to tell one text from another.
_LONGEST_PATTERN = 200
_SLUG_WORDS = 4
_HEAD = """\
# Check it:            python -m services.bounce check FILE
# See what it changes: python -m services.bounce try FILE < replies.jsonl
# Put it in force:     move FILE to the folder that EMTA_BOUNCE_RULES names
"""
_UNKNOWN = (
    "# Nobody has said what it means: 10 is an unknown mailbox, 22 a full one, 50 a block, 70 a passing\n"
    "# failure; docs/reference/rules.md has all that can be said.\n"
)


def override(row: QualificationRow, template: str = "") -> str | None:
    """Make a rule that takes the row's text and means what the row means; None: no word to go by.

    `template`: that of the cluster which the row stands for; then it takes all texts that are like it.
    """
    words = template or row.normalized_text
    for code in (str(row.code), row.enhanced_code):
        words = words.removeprefix(code).lstrip()
    pattern = _pattern(words)
    if not re.search(r"[^\W\d_]", pattern):
        return None
    meaning = row.in_force
    lines = [f"id = {_string(_id(row))}"]
    if row.code:
        lines.append(f"codes = [{_string(str(row.code))}]")
    if row.enhanced_code:
        lines.append(f"enhanced = [{_string(row.enhanced_code)}]")
    lines += [
        f"text = {_string(pattern)}",
        f"bounce_code = {int(meaning.bounce_code)}",
        f"type = {_name(FailureType.Name(meaning.type), 'FAILURE_TYPE_')}",
        f"reason = {_name(FailureReason.Name(meaning.reason), 'FAILURE_REASON_')}",
        f"disposition = {_name(Disposition.Name(meaning.disposition), 'DISPOSITION_')}",
        f"cause = {_name(Cause.Name(meaning.cause), 'CAUSE_')}",
        f"scope = {_name(Scope.Name(meaning.scope), 'SCOPE_')}",
        f"source = {_string(_source(row))}",
        f"samples = [{_string(row.normalized_text)}]",
    ]
    unknown = meaning.bounce_code == BounceCode.BOUNCE_CODE_UNDETERMINED
    return _HEAD + (_UNKNOWN if unknown else "") + "\n".join(["[[rule]]", *lines, ""])


def _pattern(words: str) -> str:
    """Give an RE2 pattern for normalised words; what varies in them is anything."""
    if len(words) > _LONGEST_PATTERN:
        words = words[:_LONGEST_PATTERN].rpartition(" ")[0] or words[:_LONGEST_PATTERN]
    parts = [_SPECIAL.sub(r"\\\g<0>", part) for part in _MARK.split(words)]
    return ".+".join(parts)


def _id(row: QualificationRow) -> str:
    slug = "-".join(_SLUG.findall(_MARK.sub(" ", row.normalized_text.lower()))[:_SLUG_WORDS])
    return f"ours.{slug}-{row.normalized_md5[:6]}" if slug else f"ours.{row.normalized_md5[:12]}"


def _source(row: QualificationRow) -> str:
    sites = ", ".join(site.site for site in row.sites[:3])
    times = words.count(row.occurrences, "time")
    return f"observed {times} until {row.last_time.ToDatetime():%Y-%m-%d}: {sites}"


def _name(name: str, prefix: str) -> str:
    return _string(name.removeprefix(prefix).lower())


def _string(text: str) -> str:
    """Give a string as TOML has it: as JSON has it, but patterns as they are."""
    plain = "'" not in text and text.isprintable()
    return f"'{text}'" if plain and "\\" in text else json.dumps(text, ensure_ascii=False)
