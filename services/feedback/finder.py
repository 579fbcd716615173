"""Finding messages of any delivery: by name, or by what outsiders know of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain

from emta.feedback.v1.feedback_service_pb2 import MessageQuery
from emta.feedback.v1.log_pb2 import LogEntry
from services.feedback import finding
from services.feedback.store.ledger import Ledger

Name = tuple[str, str]


async def find(
    ledger_of: Callable[[str], Ledger], tenant: str, queries: Sequence[MessageQuery], now_ms: int
) -> list[list[LogEntry]]:
    """Give the rows that each query finds, the latest accepted first; `tenant`: the caller's."""
    places: list[list[tuple[int, bytes]]] = [_places(query, now_ms) for query in queries]
    ledger = ledger_of(tenant)
    positions = iter(await ledger.found(list(chain(*places))))
    # A day's entry tells the positions of some messages.
    per_query = [[p for _ in days for p in next(positions)] for days in places]
    wanted = list(dict.fromkeys(chain(*per_query)))
    names = dict(zip(wanted, await ledger.names_at(wanted), strict=True))
    rows = await _rows(ledger, names.values())
    named = await _named(ledger_of, tenant, queries)
    return [
        named.get(number, [])
        if query.HasField("name")
        else _latest((rows[names[hit]] for hit in hits if names[hit] in rows), _before_ms(query, now_ms))
        for number, (query, hits) in enumerate(zip(queries, per_query, strict=True))
    ]


async def _named(
    ledger_of: Callable[[str], Ledger], tenant: str, queries: Sequence[MessageQuery]
) -> dict[int, list[LogEntry]]:
    """Give the rows of those queries that name a message, by number of the query."""
    by_tenant: dict[str, dict[int, Name]] = {}
    for number, query in enumerate(queries):
        if query.HasField("name"):
            name = (query.name.delivery_id, query.name.message_id)
            by_tenant.setdefault(query.name.tenant or tenant, {})[number] = name
    found = {}
    for owner, names in by_tenant.items():
        rows = await _rows(ledger_of(owner), names.values())
        found.update({number: [rows[name]] for number, name in names.items() if name in rows})
    return found


def _places(query: MessageQuery, now_ms: int) -> list[tuple[int, bytes]]:
    """Say where in the index a query looks."""
    if query.HasField("name"):
        return []
    by_id = query.HasField("header_message_id")
    digest = (
        finding.by_message_id(query.header_message_id) if by_id else finding.by_recipient(query.recipient)
    )
    last = _before_ms(query, now_ms) // finding.DAY_MS
    return [(last - back, digest) for back in range(finding.DAYS + 1)]


async def _rows(ledger: Ledger, names: Iterable[Name]) -> dict[Name, LogEntry]:
    wanted = list(dict.fromkeys(names))
    rows = await ledger.rows(wanted)
    return {name: row.entry for name, row in zip(wanted, rows, strict=True) if row.entry}


def _latest(entries: Iterable[LogEntry], before_ms: int) -> list[LogEntry]:
    """Those accepted in the twelve days before, the latest first."""
    after_ms = before_ms - finding.DAYS * finding.DAY_MS
    known = [entry for entry in entries if after_ms <= entry.accept_time.ToMilliseconds() <= before_ms]
    return sorted(known, key=lambda entry: entry.accept_time.ToMilliseconds(), reverse=True)


def _before_ms(query: MessageQuery, now_ms: int) -> int:
    asked = (
        query.accepted_before_time.ToMilliseconds() if query.HasField("accepted_before_time") else now_ms
    )
    return min(asked, now_ms)
