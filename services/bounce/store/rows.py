"""The qualification rows: every text that receivers answered with. Rows are the operators', like the rules:
all tenants share them, and they share one hash tag, for a batch of counts is one script.

bounce:{rows}:row:<md5>      hash: text, code, enhanced, created_ms, last_ms, occurrences, final, cost,
                             sites (JSON: occurrences by name), rules (a Qualification), rules_status (what
                             goes with it), status; and where an operator spoke: edit (a QualificationEdit),
                             modified_ms, actor, comment
bounce:{rows}:first:<md5>    the first reply's words as they were sent, while they may be kept
bounce:{rows}:cost:<status>  sorted set: the MD5s of a status by cost
bounce:{rows}:untouched      sorted set: MD5s that no operator decided on, by use: who goes first
bounce:{rows}:age            the use of the row that went last
bounce:{rows}:touched        set: MD5s that an operator decided on
bounce:{rows}:edits          hash: by MD5 what decides in place of the rules (a QualificationEdit)
bounce:{rows}:revision       a name that changes whenever those may have changed
bounce:{rows}:batch:<replica>   sequence of a replica's last batch of counts
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any

from redis.asyncio import Redis

from emta.bounce.v1.qualification_pb2 import Qualification
from emta.bounce.v1.qualifications_service_pb2 import (
    QualificationEdit,
    QualificationRow,
    QualificationStatus,
    SetQualificationRequest,
)
from services.bounce.rows import edit
from services.bounce.rows.row import ranked, status_by_rules
from services.bounce.rows.tally import Count
from services.chassis.store import Script, Value

_PREFIX = "bounce:{rows}:"
# Rows that operators may have decided on: each costs every replica half a kilobyte. Who has more should
# write rules instead.
_MOST_TOUCHED = 10_000
# Rows read in one round trip: each is about 2 KiB.
_ROWS_A_CALL = 250
_STATUSES = [status for status in QualificationStatus.values() if status]

_count = Script("services.bounce.store", "count")
_edit = Script("services.bounce.store", "edit")


class Written(IntEnum):
    """What became of a row, or speaks against setting it: then none is set."""

    GONE = 0
    SET = 1
    WITHOUT_MEANING = 2
    CHANGED = 3


class RowStore:
    """The rows of one store. All calls raise RedisError."""

    def __init__(self, store: Redis, most_rows: int, first_text_days: int) -> None:
        """`most_rows`: that no operator touched. `first_text_days`: how long raw replies are kept."""
        self._store = store
        self._most_rows = most_rows
        self._first_text_ms = first_text_days * 86_400_000

    async def count(self, replica: str, sequence: int, batch: Iterable[Count], now_ms: int) -> int:
        """Add counts; gives how many rows went for it. A sequence that was added before changes nothing."""
        args: list[Value] = [now_ms, replica, sequence, self._first_text_ms, self._most_rows]
        for count in batch:
            facts = count.facts
            args += [
                facts.md5,
                count.occurrences,
                count.final,
                int(status_by_rules(facts.by_rules)),
                facts.text,
            ]
            args += [facts.code, facts.enhanced, facts.by_rules.SerializeToString(), count.first_text]
            args.append(len(count.sites))
            for site in count.sites.items():
                args += site
        return int(await _count(self._store, [_PREFIX], args))

    async def write_edit(self, request: SetQualificationRequest, now_ms: int) -> list[Written]:
        """Write down what an operator says; gives what became of each row. []: too many are decided on."""
        said = request.edit if request.HasField("edit") else None
        decides = edit.deciding(request.status, said)
        args: list[Value] = [now_ms, secrets.token_hex(8), int(request.status)]
        args += [each.SerializeToString(deterministic=True) if each else b"" for each in (said, decides)]
        args += [request.actor, request.comment, int(request.reset_occurrences), _MOST_TOUCHED]
        args.append(request.seen_time.ToMilliseconds() if request.HasField("seen_time") else b"")
        found = await _edit(self._store, [_PREFIX], [*args, *request.normalized_md5s])
        return [Written(each) for each in found]

    async def revision(self) -> bytes:
        """Give the name of the edits as they are now."""
        value: Any = await self._store.get(f"{_PREFIX}revision")
        return value or b""

    async def edits(self) -> edit.Edits:
        """Give what operators say, by MD5."""
        found: Any = await self._store.hgetall(f"{_PREFIX}edits")
        return {md5.decode(): QualificationEdit.FromString(value) for md5, value in found.items()}

    async def by_cost(self, status: QualificationStatus) -> list[str]:
        """Give the MD5s of all rows of a status (unspecified: of any), the most costly first."""
        found: list[tuple[bytes, float]] = []
        for each in [status] if status else _STATUSES:
            names: Any = await self._store.zrange(f"{_PREFIX}cost:{each}", 0, -1, withscores=True)
            found += names
        return [md5.decode() for md5, _ in sorted(found, key=lambda each: (-each[1], each[0]))]

    async def rows(self, md5s: Sequence[str], now_ms: int) -> list[QualificationRow | None]:
        """Give rows; None for those that are gone."""
        rows: list[QualificationRow | None] = []
        for start in range(0, len(md5s), _ROWS_A_CALL):
            some = md5s[start : start + _ROWS_A_CALL]
            async with self._store.pipeline(transaction=False) as pipeline:
                for md5 in some:
                    pipeline.hgetall(f"{_PREFIX}row:{md5}")
                    pipeline.get(f"{_PREFIX}first:{md5}")
                answers: Any = await pipeline.execute()
            for md5, fields, first in zip(some, answers[::2], answers[1::2], strict=True):
                rows.append(self._row(md5, fields, first, now_ms) if fields else None)
        return rows

    def _row(
        self, md5: str, fields: dict[bytes, bytes], first: bytes | None, now_ms: int
    ) -> QualificationRow:
        row = QualificationRow(
            normalized_md5=md5,
            normalized_text=fields[b"text"].decode(),
            occurrences=int(fields[b"occurrences"]),
            final_occurrences=int(fields[b"final"]),
            cost=float(fields[b"cost"]),
            code=int(fields[b"code"]),
            enhanced_code=fields[b"enhanced"].decode(),
            sites=ranked(json.loads(fields[b"sites"])),
            by_rules=Qualification.FromString(fields[b"rules"]),
            status=int(fields[b"status"]),  # type: ignore[arg-type]
            actor=fields.get(b"actor", b"").decode(),
            comment=fields.get(b"comment", b"").decode(),
        )
        created_ms = int(fields[b"created_ms"])
        if first is not None and now_ms < created_ms + self._first_text_ms:
            row.first_text = first.decode()
        row.create_time.FromMilliseconds(created_ms)
        row.last_time.FromMilliseconds(int(fields[b"last_ms"]))
        if b"modified_ms" in fields:
            row.modify_time.FromMilliseconds(int(fields[b"modified_ms"]))
        if fields.get(b"edit"):
            row.edit.ParseFromString(fields[b"edit"])
        decides = edit.deciding(row.status, row.edit if row.HasField("edit") else None)
        row.in_force.CopyFrom(edit.in_force(md5, decides, row.by_rules, row.code))
        return row
