"""Signed return paths: an envelope sender that names its message, so that what comes back finds it.

    b+TOKEN@bounces.shop.example

The token holds tenant, delivery, message and epoch themselves, and a tag that only who has the key can
make: nothing is stored for it, and nobody else can report a message as bounced (decision 0015).

A token is a character that says in which form the names follow, then octets in base 32 (RFC 4648 section
6, in lower case: some receivers fold it): the names, and the first octets of their HMAC-SHA-256. The tag
has ten octets, or what a local part of 64 octets (RFC 5321 section 4.5.3.1.1) leaves, six at least.
"""

from __future__ import annotations

import hmac
import re
from base64 import b32decode, b32encode
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

# An address extension (RFC 5233): a mailbox "b", or the whole domain, gets all of them; and greylists that
# leave extensions out of account know the sender again.
_PREFIX = "b+"
# Address rewriters (SRS, BATV) put things before and after it.
_TOKEN = re.compile(r"(?<![a-z0-9])b\+([a-z2-7]{16,})(?![a-z0-9])", re.IGNORECASE | re.ASCII)
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"

_MOST_OCTETS = (64 - len(_PREFIX) - 1) * 5 // 8
# RFC 2104 section 5 asks for 80 bits where guesses can be made at leisure. Here each is a mail to us: of 48
# bits, a million mails a day find one in 400,000 years.
_TAG_OCTETS, _LEAST_TAG_OCTETS = 10, 6
_PURPOSE = b"emta return path 1\0"
_SHORTEST_KEY = 32

# How an identifier is written: as a number or text (an octet says how long), or as a UUID (16 octets).
_NUMBER, _UUID, _TEXT = range(3)
_IS_NUMBER = re.compile(r"[1-9][0-9]{0,37}", re.ASCII)
_IS_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.ASCII)
# Tenant "default" and epoch 1; the same and epoch 2; others, written before the identifiers.
_FIRST, _SECOND, _OTHER = range(3)
_DEFAULT_TENANT = "default"


class ForgedError(ValueError):
    """An address that looks like a signed return path and is none of ours, or was changed on its way."""


@dataclass(frozen=True, slots=True)
class MessageName:
    """What tells a message from all others."""

    tenant: str
    delivery_id: str
    message_id: str
    epoch: int = 1


class ReturnPaths:
    """Signs with the first key; believes what any of them has signed."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._keys = tuple(keys)

    @classmethod
    def parse(cls, keys: str) -> ReturnPaths:
        """Read comma-separated keys. Raises ValueError, which tells none of them."""
        parts = [part.strip().encode() for part in keys.split(",")]
        if any(len(part) < _SHORTEST_KEY for part in parts):
            raise ValueError(f"a key needs {_SHORTEST_KEY} characters at least: openssl rand -hex 32")
        return cls(parts)

    def local_part(self, name: MessageName) -> str:
        """Write the local part of a message's return path. Raises ValueError where 64 octets do not do."""
        form, names = _pack(name)
        room = min(_TAG_OCTETS, _MOST_OCTETS - len(names))
        if room < _LEAST_TAG_OCTETS:
            raise ValueError("the identifiers are too long for a local part of 64 octets")
        return f"{_PREFIX}{form}{_base32(names + _tag(self._keys[0], form, names)[:room])}"

    def read(self, address: str) -> MessageName | None:
        """Say which message an address names; None: it is no such address. Raises ForgedError."""
        found = _TOKEN.search(address)
        if found is None:
            return None
        token = found[1].lower()
        form, octets = token[0], _octets(token[1:])
        try:
            name, end = _unpack(_ALPHABET.index(form), octets)
        except (IndexError, ValueError):
            raise ForgedError(address) from None
        names, tag = octets[:end], octets[end:]
        if len(tag) != min(_TAG_OCTETS, _MOST_OCTETS - len(names)) or len(tag) < _LEAST_TAG_OCTETS:
            raise ForgedError(address)
        expected = (_tag(key, form, names)[: len(tag)] for key in self._keys)
        if not any(hmac.compare_digest(tag, each) for each in expected):
            raise ForgedError(address)
        return name


def _tag(key: bytes, form: str, names: bytes) -> bytes:
    return hmac.digest(key, _PURPOSE + form.encode() + names, "sha256")


def _base32(octets: bytes) -> str:
    return b32encode(octets).decode().rstrip("=").lower()


def _octets(text: str) -> bytes:
    """Undo `_base32`; b"" for what it never writes."""
    try:
        octets = b32decode(text.upper() + "=" * (-len(text) % 8))
    except ValueError:
        return b""
    return octets if _base32(octets) == text else b""


def _pack(name: MessageName) -> tuple[str, bytes]:
    tenant = "" if name.tenant == _DEFAULT_TENANT else name.tenant
    life, parts = _OTHER, [_counted(tenant.encode()), _counted(_number(name.epoch))]
    if not tenant and name.epoch in (1, 2):
        life, parts = (_FIRST, _SECOND)[name.epoch - 1], []
    delivery_form, delivery = _identifier(name.delivery_id)
    message_form, message = _identifier(name.message_id)
    form = _ALPHABET[9 * life + 3 * delivery_form + message_form]
    return form, b"".join((*parts, delivery, message))


def _identifier(text: str) -> tuple[int, bytes]:
    if _IS_UUID.fullmatch(text):
        return _UUID, UUID(text).bytes
    if _IS_NUMBER.fullmatch(text):
        return _NUMBER, _counted(_number(int(text)))
    return _TEXT, _counted(text.encode())


def _number(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def _counted(octets: bytes) -> bytes:
    return bytes((len(octets),)) + octets


def _unpack(form: int, octets: bytes) -> tuple[MessageName, int]:
    """Read the names, and where they end. Raises IndexError, ValueError."""
    at = 0

    def take(count: int) -> bytes:
        nonlocal at
        at += count
        if at > len(octets):
            raise IndexError
        return octets[at - count : at]

    def take_counted() -> bytes:
        return take(take(1)[0])

    def take_identifier(form: int) -> str:
        if form == _UUID:
            return str(UUID(bytes=take(16)))
        octets = take_counted()
        return str(int.from_bytes(octets, "big")) if form == _NUMBER else octets.decode("ascii")

    life, delivery_form, message_form = form // 9, form // 3 % 3, form % 3
    if life > _OTHER:
        raise ValueError
    tenant, epoch = _DEFAULT_TENANT, life + 1
    if life == _OTHER:
        tenant = take_counted().decode("ascii") or _DEFAULT_TENANT
        epoch = int.from_bytes(take_counted(), "big")
    delivery, message = take_identifier(delivery_form), take_identifier(message_form)
    return MessageName(tenant, delivery, message, epoch), at
