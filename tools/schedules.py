"""Draw docs/reference/retries.svg: when we try a message again, and when others would.

Ours comes from services.relay.retry itself; the others' defaults from their documentation (SOURCES).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

from emta.bounce.v1.qualification_pb2 import Cause, Disposition, Qualification
from services.relay.retry import next_attempt

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "retries.svg"

_MINUTE, _HOUR = 60.0, 3600.0
_VALIDITY = 84 * _HOUR
_BASE_MS = 300_000

# Documented defaults: retry_interval 1200 s doubling, max_retry_interval 43200 s (Momentum, configuration
# reference); retry_interval 20 minutes doubling, no upper bound (KumoMTA, make_queue_config); 2^(n+5) s, 13
# retries (Haraka, docs/Outbound.md); 5 min x 1.3^n, 18 attempts (Postal, queued_message.rb).
_WIDTH, _LEFT, _ROW, _TOP = 920, 230, 34, 46
_PLOT = _WIDTH - _LEFT - 30
_TICKS = [
    (_MINUTE, "1 min"),
    (5 * _MINUTE, "5 min"),
    (20 * _MINUTE, "20 min"),
    (_HOUR, "1 h"),
    (4 * _HOUR, "4 h"),
    (12 * _HOUR, "12 h"),
    (_VALIDITY, "84 h"),
]


def _growing(first: float, factor: float, longest: float = math.inf, most: int = 1_000) -> Iterator[float]:
    at, wait = 0.0, first
    for _ in range(most):
        at += min(wait, longest)
        if at > _VALIDITY:
            return
        yield at
        wait *= factor


def _ours(meaning: Qualification) -> Iterator[float]:
    now_ms, failed = 0, 1
    deadline_ms = round(_VALIDITY * 1000)
    while True:
        decision = next_attempt(
            meaning,
            now_ms=now_ms,
            accepted_ms=0,
            deadline_ms=deadline_ms,
            failed_attempts=failed,
            base_ms=_BASE_MS,
            jitter=0.5,
        )
        if decision is None or decision.at_ms >= deadline_ms:
            return
        now_ms, failed = decision.at_ms, failed + 1
        yield now_ms / 1000


def _meaning(cause: Cause, disposition: Disposition = Disposition.DISPOSITION_RETRY) -> Qualification:
    return Qualification(cause=cause, disposition=disposition)


SCHEDULES: dict[str, Callable[[], Iterator[float]]] = {
    "emta, busy or greylisting": lambda: _ours(_meaning(Cause.CAUSE_BUSY)),
    "emta, other refusals": lambda: _ours(_meaning(Cause.CAUSE_UNSPECIFIED)),
    "emta, mailbox full": lambda: _ours(
        _meaning(Cause.CAUSE_UNSPECIFIED, Disposition.DISPOSITION_RETRY_LATER)
    ),
    "Momentum": lambda: _growing(20 * _MINUTE, 2, 12 * _HOUR),
    "KumoMTA": lambda: _growing(20 * _MINUTE, 2),
    "Haraka": lambda: _growing(2.0**6, 2, most=13),
    "Postal": lambda: _growing(5 * _MINUTE, 1.3, most=18),
}


def _x(seconds: float) -> float:
    return _LEFT + _PLOT * math.log(max(seconds, 30) / 30) / math.log(_VALIDITY / 30)


def picture() -> str:
    """Give the picture (SVG): a row for each schedule, a dot for each try, time on a logarithmic axis."""
    height = _TOP + _ROW * len(SCHEDULES) + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        'font-family="system-ui, sans-serif" font-size="13">',
        f'<rect width="{_WIDTH}" height="{height}" fill="#ffffff"/>',
        f'<text x="{_LEFT}" y="22" fill="#1b2a41" font-weight="600">Tries after the first one, while a '
        "receiver goes on refusing for 84 hours</text>",
    ]
    bottom = _TOP + _ROW * len(SCHEDULES)
    for seconds, label in _TICKS:
        x = _x(seconds)
        parts.append(f'<path d="M{x:.1f} {_TOP - 12}V{bottom}" stroke="#d5dbe5"/>')
        parts.append(
            f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle" fill="#44546a">{label}</text>'
        )
    for number, (name, schedule) in enumerate(SCHEDULES.items()):
        y = _TOP + _ROW * number + 8
        tries = list(schedule())
        colour = "#3b5b8c" if name.startswith("emta") else "#a8781c"
        parts.append(f'<text x="12" y="{y + 4}" fill="#1b2a41">{name}</text>')
        parts += [f'<circle cx="{_x(at):.1f}" cy="{y}" r="4" fill="{colour}"/>' for at in tries]
        parts.append(
            f'<text x="{_LEFT - 10}" y="{y + 4}" text-anchor="end" fill="#44546a">{len(tries)}</text>'
        )
    parts.append("</svg>\n")
    return "\n".join(parts)
