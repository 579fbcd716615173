"""The messages of the benchmark: personalised HTML, each with 20 links that no other message has."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from email.utils import formatdate

from bench.names import domain

SENDER_DOMAIN = "sender.bench"
SENDER = f"bounces@{SENDER_DOMAIN}"
_LINKS = 20
_WIDTH = 76
_HEADER = (
    "From: Shop <news@{sender}>\r\nTo: {recipient}\r\nSubject: Number {number}, just for you\r\n"
    "Date: {date}\r\nMessage-ID: <{run}.{number}@{sender}>\r\n"
    "MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n"
    "List-Unsubscribe: <https://shop.example/u/{number}>\r\n"
    "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nFeedback-ID: {run}:shop:bench\r\n\r\n"
)


def recipient(run: str, number: int, domains: int) -> str:
    """Address of a message's recipient: no two messages have the same."""
    return f"{run}-{number}@{domain(number % domains)}"


def contents(
    run: str, numbers: Sequence[int], size: int, domains: int, *, template: bool
) -> Iterator[bytes]:
    """Make messages of about `size` octets; with a `template` they differ in greeting and links only."""
    dice = random.Random(run)
    words = [
        "".join(dice.choices("abcdefghijklmnopqrstuvwxyz", k=dice.randint(2, 10))) for _ in range(3_000)
    ]
    fixed = _paragraphs(dice, words, size)
    dice = random.Random(f"{run} {numbers[0]}")
    for number in numbers:
        parts = fixed if template else _paragraphs(dice, words, size)
        links = (
            f'<a href="https://t.shop.example/{dice.getrandbits(128):032x}">more</a>' for _ in range(_LINKS)
        )
        to = recipient(run, number, domains)
        header = _HEADER.format(
            sender=SENDER_DOMAIN, recipient=to, number=number, run=run, date=formatdate(1_795_000_000)
        )
        body = "\r\n".join(part for pair in zip(parts, links, strict=True) for part in pair)
        yield f"{header}<html><body><p>Dear {to},</p>\r\n{body}\r\n</body></html>\r\n".encode()


def _paragraphs(dice: random.Random, words: list[str], size: int) -> list[str]:
    room = (size - 900 - _LINKS * 80) // _LINKS
    parts = []
    for _ in range(_LINKS):
        text = " ".join(dice.choices(words, k=room // 5))[:room]
        parts.append("\r\n".join(text[at : at + _WIDTH] for at in range(0, len(text), _WIDTH)))
    return parts
