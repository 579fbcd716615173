"""DKIM signatures (RFC 6376): rsa-sha256, relaxed/relaxed, never l=.

dkimpy canonicalises and assembles; its RSA is pure Python and signs 120 messages a second, so its RSA
step is replaced by `cryptography`'s, here and nowhere else.
"""

from __future__ import annotations

import base64
import hashlib
from email.utils import getaddresses
from typing import Any

import dkim
from cryptography.hazmat.primitives.asymmetric import padding, utils
from cryptography.hazmat.primitives.hashes import SHA256
from dkim.canonicalization import CanonicalizationPolicy, Relaxed

from services.signer.keys import Key

_PREHASHED = utils.Prehashed(SHA256())
_PADDING = padding.PKCS1v15()
_RELAXED = CanonicalizationPolicy(Relaxed, Relaxed)

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
)


class MessageError(Exception):
    """The message cannot be signed."""


def _sign_rsa(digest: Any, key: Key) -> bytes:
    return key.private.sign(digest.digest(), _PADDING, _PREHASHED)


dkim.RSASSA_PKCS1_v1_5_sign = _sign_rsa


def body_sha256(body: bytes) -> bytes:
    """SHA-256 of a body in relaxed canonical form (RFC 6376 section 3.4.4)."""
    return hashlib.sha256(Relaxed.canonicalize_body(body)).digest()


class UnsignedMessage:
    """The header fields of a message and the hash of its body: all that a signature needs."""

    def __init__(self, header_block: bytes, body_hash: bytes) -> None:
        try:
            self.headers, _ = dkim.rfc822_parse(header_block)
        except (dkim.MessageFormatError, IndexError):
            raise MessageError("the header block is malformed") from None
        self.body_hash = body_hash

    @classmethod
    def of(cls, content: bytes) -> UnsignedMessage:
        """Read a whole message with CRLF line ends."""
        header_block, _, body = content.partition(b"\r\n\r\n")
        return cls(header_block + b"\r\n", body_sha256(body))

    def from_domain(self) -> str:
        """Domain of the first address in From, lower case. Raises MessageError."""
        values = [
            value.decode("utf-8", "replace") for name, value in self.headers if name.lower() == b"from"
        ]
        for _, address in getaddresses([value.replace("\r\n", "") for value in values]):
            domain = address.rpartition("@")[2].strip().lower()
            if "@" in address and domain:
                return domain if domain.isascii() else domain.encode("idna").decode()
        raise MessageError("From holds no address with a domain")

    def sign(self, key: Key, now: int, expires: int) -> bytes:
        """Give the DKIM-Signature field with its final CRLF. Times in seconds since 1970."""
        signer = dkim.DKIM(linesep=b"\r\n")
        signer.headers = self.headers
        signer.hasher = hashlib.sha256
        fields = self._fields_to_sign()
        tags = [
            (b"v", b"1"),
            (b"a", b"rsa-sha256"),
            (b"c", b"relaxed/relaxed"),
            (b"d", key.domain.encode()),
            (b"s", key.selector.encode()),
            (b"t", str(now).encode()),
            (b"x", str(expires).encode()),
            (b"h", b" : ".join(fields)),
            (b"bh", base64.b64encode(self.body_hash)),
            # Long enough to fold onto a line of its own, so that the signature changes no other line.
            (b"b", b"0" * 60),
        ]
        signature: bytes = signer.gen_header(tags, fields, _RELAXED, b"DKIM-Signature", key)
        return b"DKIM-Signature: " + signature.rstrip(b"\r\n") + b"\r\n"

    def _fields_to_sign(self) -> list[bytes]:
        present = [name.lower() for name, _ in self.headers]
        fields = [name for name in _SIGNED for _ in range(present.count(name))]
        return fields + list(_OVERSIGNED)
