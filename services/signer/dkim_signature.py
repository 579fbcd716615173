"""DKIM signatures (RFC 6376): rsa-sha256, relaxed/relaxed, never l=.

The canonical form and the field are made here; dkimpy is the tests' oracle for both. (It needs 8 ms for a
signature, of which 5 % are spent on what it does better than a few splits and joins.)
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from email.utils import getaddresses
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric import padding, utils
from cryptography.hazmat.primitives.hashes import SHA256

from emta.signing import body_sha256, split
from services.chassis.domain_names import a_labels
from services.signer.keys import Key

_PREHASHED = utils.Prehashed(SHA256())
_PADDING = padding.PKCS1v15()

# RFC 6376 section 5.4.1, with what bulk mail needs covered: one-click unsubscription (RFC 8058 section 4)
# and Feedback-ID.
_SIGNED = (
    b"from",
    b"sender",
    b"reply-to",
    b"to",
    b"cc",
    b"subject",
    b"date",
    b"message-id",
    b"in-reply-to",
    b"references",
    b"mime-version",
    b"content-type",
    b"content-transfer-encoding",
    b"content-disposition",
    b"list-id",
    b"list-help",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
    b"list-subscribe",
    b"list-post",
    b"list-owner",
    b"list-archive",
    b"feedback-id",
)
# Signed once more than they are there, so that none can be added (RFC 6376 section 8.15).
_OVERSIGNED = (
    b"from",
    b"sender",
    b"to",
    b"cc",
    b"subject",
    b"date",
    b"reply-to",
    b"message-id",
    b"mime-version",
    b"content-type",
    b"content-transfer-encoding",
    b"list-unsubscribe",
    b"list-unsubscribe-post",
    b"feedback-id",
)

# RFC 5322 section 2.1.1: lines should have no more than 78 characters.
_LINE = 76
_BASE64_LINE = 72
_FIELD_NAME = re.compile(rb"[\x21-\x39\x3b-\x7e]+[ \t]*")
_SPACES = re.compile(rb"[ \t]+")


class MessageError(Exception):
    """The message cannot be signed."""


class UnsignedMessage:
    """The header fields of a message and the hash of its body: all that a signature needs."""

    def __init__(self, header_block: bytes, body_hash: bytes) -> None:
        # By name, the values of its fields from the first to the last, canonical.
        self._values: dict[bytes, list[bytes]] = {}
        self._from: list[bytes] = []
        for field in _fields(header_block):
            name, colon, value = field.partition(b":")
            if not colon or not _FIELD_NAME.fullmatch(name):
                raise MessageError("the header block is malformed")
            name = name.rstrip(b" \t").lower()
            self._values.setdefault(name, []).append(_relaxed(value))
            if name == b"from":
                self._from.append(value)
        self._body_hash = body_hash

    @classmethod
    def of(cls, content: bytes) -> UnsignedMessage:
        """Read a whole message with CRLF line ends."""
        header_block, body = split(content)
        return cls(header_block, body_sha256(body))

    def from_domain(self) -> str:
        """Domain of the first address in From, A-labels in lower case. Raises MessageError."""
        return _domain_of(tuple(self._from))

    def sign(self, key: Key, now: int, expires: int) -> bytes:
        """Give the DKIM-Signature field with its final CRLF. Times in seconds since 1970."""
        names, signed = _names_to_sign(tuple((name, len(values)) for name, values in self._values.items()))
        words = [
            b"v=1;",
            b"a=rsa-sha256;",
            b"c=relaxed/relaxed;",
            b"d=%b;" % key.domain.encode(),
            b"s=%b;" % key.selector.encode(),
            b"t=%d;" % now,
            b"x=%d;" % expires,
            *signed,
            b"bh=%b;" % base64.b64encode(self._body_hash),
            b"b=",
        ]
        digest = hashlib.sha256()
        left = {name: list(values) for name, values in self._values.items() if len(values) > 1}
        for name in names:
            # Of several fields of a name the last one is signed first (section 5.4.2); a name that is there
            # no more stands for its absence.
            values = left.get(name) or self._values.get(name)
            if values:
                digest.update(b"%b:%b\r\n" % (name, values.pop() if name in left else values[0]))
        digest.update(b"dkim-signature:" + b" ".join(words))
        signature = base64.b64encode(key.private.sign(digest.digest(), _PADDING, _PREHASHED))
        return b"DKIM-Signature: %b%b\r\n" % (_folded(words), _in_lines(signature))


def _fields(header_block: bytes) -> Iterable[bytes]:
    """Give the fields of a header block, unfolded (RFC 5322 section 2.2.3)."""
    block = header_block.replace(b"\r\n ", b" ").replace(b"\r\n\t", b"\t")
    return [field for field in block.split(b"\r\n") if field]


def _relaxed(value: bytes) -> bytes:
    """Canonical form of an unfolded value (section 3.4.2)."""
    if b"\t" in value or b"  " in value:
        value = _SPACES.sub(b" ", value)
    return value.strip(b" ")


@lru_cache(maxsize=1_000)
def _names_to_sign(present: tuple[tuple[bytes, int], ...]) -> tuple[list[bytes], list[bytes]]:
    """Give the names to sign, in order, and the h= tag as words that may stand on lines of their own."""
    counts = dict(present)
    names = [name for name in _SIGNED for _ in range(counts.get(name, 0))]
    oversigned = list(_OVERSIGNED)
    words, word = [], b"h="
    for position, name in enumerate(names + oversigned):
        last = position == len(names) + len(oversigned) - 1
        if len(word) + len(name) >= _LINE:
            words.append(word)
            word = b""
        word += name + (b";" if last else b":")
    # The names that are signed as absent add nothing to what is hashed.
    return names, [*words, word]


def _folded(words: Iterable[bytes]) -> bytes:
    """Put words on lines. Folding stands where there is a space in canonical form, and nowhere else."""
    lines = [b""]
    used = len(b"DKIM-Signature: ")
    for word in words:
        if lines[-1] and used + 1 + len(word) > _LINE:
            lines.append(word)
            used = 1 + len(word)
        else:
            lines[-1] += b" " + word if lines[-1] else word
            used += 1 + len(word)
    return b"\r\n ".join(lines)


def _in_lines(signature: bytes) -> bytes:
    return b"".join(
        b"\r\n " + signature[at : at + _BASE64_LINE] for at in range(0, len(signature), _BASE64_LINE)
    )


@lru_cache(maxsize=10_000)
def _domain_of(from_values: tuple[bytes, ...]) -> str:
    """Domain of the first address of From fields. Senders are few, so that it is worked out once."""
    texts = [value.decode("utf-8", "replace") for value in from_values]
    for _, address in getaddresses(texts):
        domain = address.rpartition("@")[2].strip().lower()
        if "@" in address and domain:
            return _a_labels(domain)
    raise MessageError("From holds no address with a domain")


def _a_labels(domain: str) -> str:
    try:
        return a_labels(domain)
    except ValueError:
        raise MessageError(f"From holds a domain that is none: {domain!a}") from None
