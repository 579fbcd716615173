"""From octets to text, whatever they claim to be."""

from __future__ import annotations

import re
from binascii import Error as Base64Error
from binascii import a2b_base64, a2b_qp

# Codecs of mail. Python knows others under such names, among them some that take quadratic time (punycode).
_CHARSET = re.compile(
    r"(?:us-)?ascii|utf-?(?:7|8|16|16le|16be)|iso-?8859-\d+(?:-[ie])?|iso-2022-(?:jp|kr)(?:-\d)?|(?:windows|cp)-?\d{3,4}"
    r"|koi8-[rut]|euc-?(?:jp|kr)|s(?:hift)?_?jis|gb(?:2312|k|18030)|big5(?:-?hkscs)?|latin-?1|macintosh",
    re.IGNORECASE | re.ASCII,
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_ENCODED_WORD = re.compile(
    r"=\?(?P<charset>[\w-]{1,40})(?:\*[\w-]*)?\?(?P<encoding>[bq])\?(?P<text>[^?]*)\?=(?:\s+(?==\?))?",
    re.IGNORECASE | re.ASCII,
)


def decoded(octets: bytes, charset: str) -> str:
    """Decode text. What does not fit the charset, or a charset that is not known, gives U+FFFD."""
    if not _CHARSET.fullmatch(charset) or charset.lower().endswith("ascii"):
        charset = "utf-8"
    try:
        return clean(octets.decode(charset, errors="replace"))
    except (LookupError, UnicodeError):
        return clean(octets.decode("utf-8", errors="replace"))


def clean(text: str) -> str:
    """Make control characters spaces, but for line ends and tabs, and take out what no UTF-8 can hold."""
    if text.isascii() and text.isprintable():
        return text
    return _CONTROL.sub(" ", text).encode("utf-8", errors="replace").decode()


def unpacked(octets: bytes, encoding: str) -> bytes:
    """Undo a content-transfer-encoding (RFC 2045 section 6). One that is not known, or broken: as it is."""
    if encoding == "quoted-printable":
        return a2b_qp(octets)
    if encoding == "base64":
        return _from_base64(octets)
    return octets


def unfolded(value: str) -> str:
    """Decode the encoded words (RFC 2047) of a header field's value."""
    return _ENCODED_WORD.sub(_word, value) if "=?" in value else value


def _word(found: re.Match[str]) -> str:
    octets = found["text"].encode("ascii", errors="replace")
    if found["encoding"] in "bB":
        return decoded(_from_base64(octets), found["charset"])
    return decoded(a2b_qp(octets, header=True), found["charset"])


def _from_base64(octets: bytes) -> bytes:
    try:
        return a2b_base64(octets)
    except Base64Error:
        whole = len(octets) // 4 * 4
        try:
            return a2b_base64(octets[:whole])
        except Base64Error:
            return octets
