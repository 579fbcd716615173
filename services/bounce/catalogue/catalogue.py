"""The catalogue: all rules in the order in which they are tried.

Operators' overrides come before what is shipped; files are read in the order of their names and rules in
the order of the file: the first match decides. docs/reference/rules.md explains how to write one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from emta.bounce.v1.smtp_reply_pb2 import SmtpReply
from emta.problems import in_words
from services.bounce.catalogue import rule_file
from services.bounce.catalogue.matcher import Matcher, PatternError, compiled
from services.bounce.catalogue.rule import Rule
from services.bounce.catalogue.rule_entry import rules_of
from services.bounce.catalogue.rule_file import Provider, RuleError, RuleFile
from services.bounce.reply.frame import Frame
from services.bounce.reply.masking import masked
from services.bounce.reply.quoted_codes import completed

_SAMPLE = re.compile(
    r"(?:\[(?P<phase>[a-z]+)(?: (?P<failure>[a-z_]+))?(?: (?P<mx>[\w.-]+))?\] ?)?"
    r"(?:(?P<code>\d{3})\b ?)?(?:(?P<enhanced>[245]\.\d{1,3}\.\d{1,3})\b ?)?(?P<text>.*)",
    re.DOTALL,
)

Files = Iterable[tuple[str, bytes]]


@dataclass(frozen=True)
class Catalogue:
    """All rules in the order in which they are tried, and the hash that names this set (16 hex digits)."""

    rules: tuple[Rule, ...]
    version: str
    providers: Mapping[str, Provider]
    matcher: Matcher
    overrides: int  # how many of the rules are overrides; they come first

    def match(self, reply: SmtpReply, provider: str = "") -> Rule | None:
        """Give the first rule that speaks about `reply`. `provider`: who answered, where no MX is known."""
        places = self.matching(reply, provider)
        return places[0] if places else None

    def matching(self, reply: SmtpReply, provider: str = "") -> list[Rule]:
        """Give all rules that speak about `reply`, in order."""
        text = masked(reply.text)
        site = self.site(reply.mx_host, provider)
        frame = Frame(reply.code, reply.enhanced_code, reply.phase, reply.failure, site)
        return [self.rules[place] for place in self.matcher.all(completed(frame, text), text)]

    def site(self, mx_host: str, provider: str = "") -> tuple[str, ...]:
        """Give the domains that rules name and that an MX host, or else a provider, lies in."""
        if mx_host or not provider:
            return self.matcher.site_of_host(mx_host)
        return self.matcher.site_of_provider(provider)


def load(overrides: Path | None = None) -> Catalogue:
    """Load the shipped rules and the operator's file or folder of overrides. Raises RuleError."""
    return parse(shipped_files(), override_files(overrides) if overrides else ())


def shipped_files() -> list[tuple[str, bytes]]:
    """Read the rule files that are shipped."""
    folder = resources.files("services.bounce").joinpath("rules")
    return sorted(
        (file.name, file.read_bytes()) for file in folder.iterdir() if file.name.endswith(".toml")
    )


def override_files(path: Path) -> list[tuple[str, bytes]]:
    """Read an override file, or all of a folder. Raises RuleError."""
    try:
        return [(each.name, each.read_bytes()) for each in override_paths(path)]
    except OSError as error:
        raise RuleError(in_words(error)) from None


def override_paths(path: Path) -> list[Path]:
    """Name an override file, or all of a folder. Raises OSError."""
    if not path.is_dir():
        return [path]
    # Not glob(): to that, a folder that may not be read is empty. Hidden files are editors'.
    return sorted(each for each in path.iterdir() if each.suffix == ".toml" and each.name[0] != ".")


def parse(shipped: Files, overrides: Files = ()) -> Catalogue:
    """Read (name, TOML) pairs into a catalogue. Raises RuleError."""
    digest = hashlib.sha256()
    kinds: list[list[RuleFile]] = []
    for files in (overrides, shipped):
        kinds.append([])
        digest.update(b"files")
        for name, content in files:
            digest.update(content)
            kinds[-1].append(rule_file.read(name, content))
    own, ours = kinds
    providers = _providers([*ours, *own])
    disabled = {rule_id: file.name for file in own for rule_id in file.disabled}
    if wrong := next((file for file in ours if file.disabled), None):
        raise RuleError(f"{wrong.name}: only overrides disable rules")
    words = {name: each for file in ours for name, each in file.words.items()}
    rest = _rules(ours, providers, words)
    # An override's words are its own: those of shipped rules mean what they were tried with.
    own_words = {name: each for file in own for name, each in file.words.items()}
    first = _rules(own, providers, {**words, **own_words})
    if unknown := disabled.keys() - {rule.id for rule in rest}:
        name = min(unknown)
        raise RuleError(f"{disabled[name]}: disabled names no rule of the shipped set: {name}")
    if rest and rest[-1].id in disabled:
        name = rest[-1].id
        raise RuleError(f"{disabled[name]}: disabled: {name} takes what no other rule does, and stays")
    rules = (*first, *(rule for rule in rest if rule.id not in disabled))
    _check_twice(rules)
    domains = {name: provider.mx for name, provider in providers.items()}
    matcher = Matcher(rules, domains)
    return Catalogue(rules, digest.hexdigest()[:16], providers, matcher, len(first))


def _providers(files: Iterable[RuleFile]) -> dict[str, Provider]:
    """All providers by name. An override may say anew who somebody is."""
    return {provider.name: provider for file in files for provider in file.providers}


def _rules(
    files: Iterable[RuleFile], providers: Mapping[str, Provider], words: Mapping[str, str]
) -> list[Rule]:
    rules = [rule for file in files for rule in rules_of(file, providers, words)]
    for rule in rules:
        for key, patterns in (("text", rule.text), ("unless", rule.unless)):
            for pattern in patterns:
                try:
                    compiled(pattern)
                except PatternError as error:
                    raise RuleError(f"{rule.where}: {key}: {error}") from None
    return rules


def _check_twice(rules: Iterable[Rule]) -> None:
    seen: dict[str, Rule] = {}
    for rule in rules:
        if (other := seen.setdefault(rule.id, rule)) is not rule:
            raise RuleError(f"{rule.where}: is there already ({other.file}:{other.line})")


def sample_reply(sample: str) -> SmtpReply:
    """Read a sample: "[phase failure mx] code enhanced text", every part optional. Raises ValueError."""
    parts = _SAMPLE.fullmatch(sample)
    assert parts is not None  # every part is optional
    return SmtpReply(
        phase=f"SMTP_PHASE_{(parts['phase'] or 'unspecified').upper()}",
        failure=f"FAILURE_KIND_{(parts['failure'] or 'unspecified').upper()}",
        mx_host=parts["mx"] or "",
        code=int(parts["code"] or 0),
        enhanced_code=parts["enhanced"] or "",
        text=parts["text"],
    )
