"""Messages to sign, and what dkimpy says of them once they are signed."""

from __future__ import annotations

import dkim

from emta.problems import Problem
from emta.signer.v1.signer_service_pb2 import SigningKey, SignItem, SignResult

MESSAGE = (
    b"From: Shop <news@shop.example>\r\nTo: a@b.example\r\nSubject: Hello   there\r\n"
    b"Date: Mon, 23 Nov 2026 10:00:00 +0000\r\nReply-To: help@shop.example\r\n"
    b"Message-ID: <1@shop.example>\r\n"
    b"List-Unsubscribe: <https://shop.example/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    b"Feedback-ID: 7:marketing:default:shop\r\n\r\nHello \t world  \r\n\r\nBye\r\n\r\n\r\n"
)


def message(sender: str, number: int = 0) -> bytes:
    return f"From: {sender}\r\nTo: a@b.example\r\nSubject: {number}\r\n\r\nNumber {number}\r\n".encode()


def items(*contents: bytes) -> list[SignItem]:
    return [SignItem(content=content) for content in contents]


def reason(result: SignResult) -> str:
    """Reason of a refusal; empty for a signature."""
    return Problem.from_status(result.error).reason if result.WhichOneof("result") == "error" else ""


def tags(signature: bytes) -> dict[str, str]:
    """The tags of a DKIM-Signature field, as written."""
    value = signature.partition(b":")[2].replace(b"\r\n", b"").decode()
    return {name.strip(): given.strip() for name, _, given in (t.partition("=") for t in value.split(";"))}


def verifies(signed: bytes, *keys: SigningKey) -> bool:
    """Whether dkimpy finds the top signature good, with these keys and no others in the DNS."""
    records = {f"{k.selector}._domainkey.{k.domain}.".encode(): k.dns_record.encode() for k in keys}
    return bool(dkim.verify(signed, dnsfunc=lambda name, timeout=5: records.get(name)))
