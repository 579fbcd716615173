"""What the header of a MIME part says of its body (RFC 2045), and how it says something else."""

from __future__ import annotations

import re
from dataclasses import dataclass

NOT_ENCODED = frozenset((b"7bit", b"8bit", b"binary"))

_FOLDED = rb"([^\r\n]*+(?:\r\n[ \t][^\r\n]*+)*+)(?:\r\n|\Z)"
_TYPE = re.compile(rb"^content-type[ \t]*:" + _FOLDED, re.MULTILINE | re.IGNORECASE)
_ENCODING = re.compile(rb"^content-transfer-encoding[ \t]*:" + _FOLDED, re.MULTILINE | re.IGNORECASE)
_MIME_VERSION = re.compile(rb"^mime-version[ \t]*:", re.MULTILINE | re.IGNORECASE)
_COMMENT = re.compile(rb"\([^()]*+\)")
_PARAMETER = re.compile(rb';\s*+([^\s=;"]++)\s*+=\s*+("(?:[^"\\]|\\.)*+"|[^\s;]*+)', re.DOTALL)
_WIDE_CHARSET = re.compile(rb"utf-?(?:16|32)(?:le|be)?|iso-10646-ucs-[24]|ucs-?[24]")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a part's header says of its body; names in lower case."""

    type: bytes
    charset: bytes
    boundary: bytes
    encoding: bytes

    @property
    def is_composite(self) -> bool:
        """Whether it holds other parts, as they are."""
        return self.encoding in NOT_ENCODED and self.type.startswith((b"multipart/", b"message/"))

    @property
    def is_text(self) -> bool:
        """Whether it is text whose octets are lines."""
        return self.type.startswith(b"text/") and not _WIDE_CHARSET.fullmatch(self.charset)

    @property
    def is_opaque(self) -> bool:
        """Whether CR and LF may be no line ends. Those of text always are (RFC 2046 4.1.1)."""
        if self.encoding not in NOT_ENCODED or self.is_text:
            return False
        return self.encoding == b"binary" or self.type.startswith(b"text/")


def kind_of(header: bytes, default_type: bytes) -> Kind:
    """Read the header block of a part (CRLF line ends)."""
    value = field[1] if (field := _TYPE.search(header)) else default_type
    encoding = field[1] if (field := _ENCODING.search(header)) else b""
    parameters = {name.lower(): _unquoted(text) for name, text in reversed(_PARAMETER.findall(value))}
    return Kind(
        type=_COMMENT.sub(b"", value.partition(b";")[0]).strip().lower() or default_type,
        charset=parameters.get(b"charset", b"").lower(),
        boundary=parameters.get(b"boundary", b""),
        encoding=_COMMENT.sub(b"", encoding).strip().lower() or b"7bit",
    )


def _unquoted(text: bytes) -> bytes:
    if text.startswith(b'"'):
        return re.sub(rb"\\(.)", rb"\1", text[1:-1], flags=re.DOTALL)
    return text


def with_encoding(header: bytes, encoding: bytes, *, is_message: bool) -> bytes:
    """Give the header block with another Content-Transfer-Encoding."""
    header = _ENCODING.sub(b"", header)
    header += b"Content-Transfer-Encoding: %b\r\n" % encoding
    if is_message and not _MIME_VERSION.search(header):
        # Without it, readers take the body as it stands (RFC 2045 section 4).
        header += b"MIME-Version: 1.0\r\n"
    return header


def name_charset(header: bytes, body: bytes) -> bytes:
    """Say what 8-bit text without a Content-Type is: it would count as US-ASCII (RFC 2045 5.2)."""
    if body.isascii() or _TYPE.search(header):
        return header
    try:
        body.decode()
        charset = b"utf-8"
    except UnicodeDecodeError:
        charset = b"unknown-8bit"  # RFC 1428 section 3
    return header + b"Content-Type: text/plain; charset=%b\r\n" % charset
