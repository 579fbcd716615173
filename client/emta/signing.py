"""The client's side of the Signer's contract."""

from __future__ import annotations

import hashlib


def split(content: bytes) -> tuple[bytes, bytes]:
    """Split a message into its header block, with its last CRLF, and its body."""
    header, _, body = content.partition(b"\r\n\r\n")
    return header + b"\r\n", body


def body_sha256(body: bytes) -> bytes:
    """SHA-256 of a body in relaxed canonical form (RFC 6376 section 3.4.4)."""
    body = body.replace(b"\t", b" ")
    while b"  " in body:
        body = body.replace(b"  ", b" ")
    body = body.replace(b" \r\n", b"\r\n").rstrip(b"\r\n")
    return hashlib.sha256(body + b"\r\n" if body else b"").digest()
