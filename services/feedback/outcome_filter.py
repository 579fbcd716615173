"""Which failures a requalification is about: the filter of RequalifyOutcomes, checked once and applied."""

from __future__ import annotations

import re
from collections.abc import Sequence

from emta.bounce.v1.qualification_pb2 import BounceCode
from emta.feedback.v1 import requalify_service_pb2 as messages
from emta.feedback.v1.log_pb2 import LogEntry
from emta.problems import invalid
from services.chassis.domain_names import a_labels
from services.feedback.requests import delivery_id
from services.feedback.store.ledger import HOUR_MS, FailedMessage

_MAX_LIST, _MAX_ENTRY, _MAX_TEXT = 100, 256, 256
# A month: twice as long as failures can be found.
_MAX_WINDOW_MS = 31 * 24 * HOUR_MS
_WILD = "*"
_DOMAIN = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*")


class OutcomeFilter:
    """A checked filter.

    Raises Problem: WINDOW_INVALID, FILTER_EMPTY, FILTER_INVALID, DELIVERY_ID_INVALID.
    """

    def __init__(self, told: messages.OutcomeFilter) -> None:
        if not told.HasField("from_time") or not told.HasField("to_time"):
            raise invalid("filter.from_time", "WINDOW_INVALID", "from_time and to_time are required")
        try:
            self.from_ms = told.from_time.ToMilliseconds()
            self.to_ms = told.to_time.ToMilliseconds()
        except ValueError as error:
            raise invalid("filter.from_time", "WINDOW_INVALID", f"from_time and to_time: {error}") from None
        if not 0 < self.to_ms - self.from_ms <= _MAX_WINDOW_MS:
            raise invalid(
                "filter.to_time", "WINDOW_INVALID", "to_time must be after from_time, by 31 days at most"
            )
        lists: dict[str, Sequence[object]] = {
            "domains": told.domains,
            "mx_hosts": told.mx_hosts,
            "bounce_codes": told.bounce_codes,
            "rule_ids": told.rule_ids,
        }
        for name, values in lists.items():
            _check(f"filter.{name}", values)
        if not any((*lists.values(), told.text, told.delivery_id)):
            raise invalid(
                "filter",
                "FILTER_EMPTY",
                "name domains, mx_hosts, text, bounce_codes, rule_ids or a delivery besides the window",
            )
        self._delivery = delivery_id(told.delivery_id) if told.delivery_id else ""
        self._domains = frozenset(map(_domain, told.domains))
        self._mx_hosts = tuple(_mx_host(mx) for mx in told.mx_hosts)
        self._text = _pieces(told.text)
        self._codes = frozenset(told.bounce_codes)
        self._rules = frozenset(told.rule_ids)

    @property
    def hours(self) -> range:
        """The hours of Unix time that the window touches."""
        return range(self.from_ms // HOUR_MS, (self.to_ms - 1) // HOUR_MS + 1)

    def may_match(self, failed: FailedMessage) -> bool:
        """Whether the index alone does not rule a failure out: its row has to be looked at."""
        return (not self._delivery or failed.delivery == self._delivery) and (
            not self._domains or failed.domain in self._domains
        )

    def matches(self, entry: LogEntry) -> bool:
        """Whether the failure in a row is meant, as far as may_match has not told."""
        return (
            (not self._codes or entry.bounce_code in self._codes)
            and (not self._rules or entry.rule_id in self._rules)
            and self.matches_reply(entry)
        )

    def matches_reply(self, entry: LogEntry) -> bool:
        """The same without what a correction changes in the row: bounce code and rule."""
        host = entry.last_reply.mx_host
        return (
            self.from_ms <= entry.final_time.ToMilliseconds() < self.to_ms
            and (not self._mx_hosts or any(_is_host(host, mx) for mx in self._mx_hosts))
            and (not self._text or _says(entry, self._text))
        )


def _check(field: str, values: Sequence[object]) -> None:
    if len(values) > _MAX_LIST:
        raise invalid(field, "FILTER_INVALID", f"{field} has more than {_MAX_LIST} entries")
    for value in values:
        if isinstance(value, str) and not 1 <= len(value) <= _MAX_ENTRY:
            raise invalid(field, "FILTER_INVALID", f"{field}: entries are 1 to {_MAX_ENTRY} characters")
        if isinstance(value, int) and (not value or value not in BounceCode.values()):
            raise invalid(field, "FILTER_INVALID", f"{field}: {value} is no bounce code")


def _domain(name: str) -> str:
    """Give a recipients' domain as the ledger has it; what is none would match nothing, and silently so."""
    try:
        domain = a_labels(name.rstrip("."))
    except ValueError:
        domain = ""
    if not _DOMAIN.fullmatch(domain):
        raise invalid("filter.domains", "FILTER_INVALID", 'filter.domains: whole domain names, without "*"')
    return domain


def _mx_host(pattern: str) -> str:
    """Check a name of MX rules: a host, or "*." and the end of its name."""
    name = pattern.lower().rstrip(".")
    if _WILD in name.removeprefix("*.") or not name.removeprefix("*."):
        raise invalid(
            "filter.mx_hosts", "FILTER_INVALID", 'filter.mx_hosts: a host name, or "*." and the end of one'
        )
    return name


def _is_host(host: str, pattern: str) -> bool:
    return host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern


def _pieces(text: str) -> tuple[str, ...]:
    """Split at the wildcards: what has to be found one behind the other."""
    if len(text) > _MAX_TEXT:
        raise invalid("filter.text", "FILTER_INVALID", f"filter.text is longer than {_MAX_TEXT} characters")
    pieces = tuple(piece for part in text.split(_WILD) if (piece := _plain(part)))
    if text and not pieces:
        raise invalid("filter.text", "FILTER_INVALID", "filter.text says nothing")
    return pieces


def _plain(text: str) -> str:
    """Give a text in lower case, its runs of white space as one space: replies have several lines."""
    return " ".join(text.lower().split())


def _says(entry: LogEntry, pieces: Sequence[str]) -> bool:
    reply = entry.last_reply
    raw = f"{reply.code} {reply.enhanced_code} {reply.text}"
    return any(_in_order(_plain(said), pieces) for said in (raw, entry.normalized_text))


def _in_order(said: str, pieces: Sequence[str]) -> bool:
    at = 0
    for piece in pieces:
        found = said.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return True
