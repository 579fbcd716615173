"""A verifier that is not ours and shares no code with dkimpy: Debian's opendkim."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from emta.signer.v1.signer_service_pb2 import ListSigningKeysRequest, SignRequest
from tests.integration.signer.messages import MESSAGE, items
from tests.support.debian import program

if TYPE_CHECKING:
    from emta.signer.v1.signer_service_pb2_grpc import SignerServiceAsyncStub

pytestmark = pytest.mark.debian("opendkim")

_CONFIGURATION = """Mode v
Syslog no
TestPublicKeys keys
"""
_FROM = b"From: news@shop.example\r\n"
ODD = {
    "as_sent": MESSAGE,
    "no_body": _FROM + b"\r\n",
    "only_empty_lines": _FROM + b"\r\n\r\n\r\n\r\n",
    "only_white_space": _FROM + b"\r\n \t \r\n\t\r\n",
    "no_final_line_end": _FROM + b"\r\nx",
    "white_space": _FROM + b"Subject: \t a \t b \t\r\n\r\n\t a \t b \t\r\n\r\n \r\n.\r\n..\r\n\r\n",
    "empty_subject": _FROM + b"Subject:\r\nTo: \r\n\r\nx\r\n",
    "folded": _FROM + b"Subject: one\r\n\ttwo\r\n   three\r\nTo: a@b.example,\r\n c@d.example\r\n\r\nx\r\n",
    "folded_at_once": b"From:\r\n Shop\r\n <news@shop.example>\r\nSubject:\r\n x\r\n\r\nx\r\n",
    "names_in_other_case": b"FROM: news@shop.example\r\nsUbJeCt: x\r\nmime-VERSION: 1.0\r\n\r\nx\r\n",
    "eight_bit": _FROM + "Subject: Grüße 花子\r\n\r\nGrüße, 花子\r\n".encode(),
    "not_utf8": _FROM + b"Subject: \xe9\xff\r\n\r\n\x80\xfe\r\n",
    "no_space_after_colon": b"From:news@shop.example\r\nSubject:x\r\n\r\nx\r\n",
    "long_line": _FROM + b"\r\n" + b"x" * 990 + b"\r\n" + b"y " * 490 + b"\r\n",
    "field_twice": _FROM
    + b"List-Id: <a.example>\r\nReferences: <1@x>\r\nList-Id: <b.example>\r\n\r\nx\r\n",
    "unsigned_fields": b"Received: from x by y; now\r\nX-Any: b=c; bh=d\r\n" + _FROM + b"\r\nb=; bh=\r\n",
    "looks_like_a_tag": _FROM + b"Subject: v=1; b=abc; bh=def; d=x\r\n\r\nx\r\n",
    "many_addresses": _FROM
    + b"To: "
    + b",\r\n ".join(b"a%d@b.example" % n for n in range(200))
    + b"\r\n\r\nx\r\n",
}
GUARDED = (
    b"From",
    b"To",
    b"Cc",
    b"Subject",
    b"Date",
    b"Reply-To",
    b"List-Unsubscribe",
    b"List-Unsubscribe-Post",
)


async def opendkim(folder: Path, record: str, signed: Mapping[str, bytes]) -> set[str]:
    """Names of the messages whose signature opendkim finds good."""
    (folder / "opendkim.conf").write_text(_CONFIGURATION)
    (folder / "keys").write_text(f"s1._domainkey.shop.example {record}\n")
    for name, content in signed.items():
        # SMTP ends the last line if the message does not.
        (folder / name).write_bytes(content.removesuffix(b"\r\n") + b"\r\n")
    process = await asyncio.create_subprocess_exec(
        str(program("opendkim")),
        "-x",
        "opendkim.conf",
        "-t",
        ",".join(signed),
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    verdicts = {
        words[1].removesuffix(":"): words[-1]
        for words in map(str.split, output.decode().splitlines())
        if len(words) > 2 and words[0] == "opendkim:" and words[2] == "verification"
    }
    assert set(verdicts) == set(signed), output.decode()
    return {name for name, verdict in verdicts.items() if verdict == "succeeded"}


async def signed_by(signer: SignerServiceAsyncStub, *contents: bytes) -> tuple[str, list[bytes]]:
    """The record to publish, and the messages with their signatures."""
    (key,) = (await signer.ListSigningKeys(ListSigningKeysRequest(domain="shop.example"))).keys
    results = (await signer.Sign(SignRequest(items=items(*contents)))).results
    return key.dns_record, [r.signature_header + c for r, c in zip(results, contents, strict=True)]


async def test_opendkim_finds_odd_messages_well_signed(
    signer: SignerServiceAsyncStub, tmp_path: Path
) -> None:
    record, signed = await signed_by(signer, *ODD.values())

    assert await opendkim(tmp_path, record, dict(zip(ODD, signed, strict=True))) == set(ODD)


async def test_opendkim_finds_out_what_was_added_or_changed(
    signer: SignerServiceAsyncStub, tmp_path: Path
) -> None:
    record, (signed,) = await signed_by(signer, MESSAGE)
    end = signed.index(b"\r\n\r\n") + 2
    tampered = {"untouched": signed, "other_body": signed.replace(b"Bye", b"Buy")}
    for field in GUARDED:
        added = field + b": evil@evil.example\r\n"
        tampered[f"top_{field.decode()}"] = added + signed
        tampered[f"bottom_{field.decode()}"] = signed[:end] + added + signed[end:]

    assert await opendkim(tmp_path, record, tampered) == {"untouched"}


async def test_opendkim_finds_nothing_good_with_another_key(
    signer: SignerServiceAsyncStub, tmp_path: Path
) -> None:
    (other,) = (await signer.ListSigningKeys(ListSigningKeysRequest(domain="other.example"))).keys
    record, (signed,) = await signed_by(signer, MESSAGE)

    assert await opendkim(tmp_path, other.dns_record, {"message": signed}) == set()
    assert await opendkim(tmp_path, record, {"message": signed}) == {"message"}
