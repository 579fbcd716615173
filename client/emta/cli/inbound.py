"""`emta inbound`: mails that came back, handed over by a mail server, a cron job, or by hand."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import grpc
import typer
from rich.text import Text

from emta import mbox
from emta.as_json import as_dict
from emta.bounce.v1.inbound_service_pb2 import (
    FoundBy,
    InboundEffect,
    InboundKind,
    InboundRecipient,
    QualifyInboundItem,
    QualifyInboundResult,
)
from emta.cli import words
from emta.cli.console import EXIT_BAD_INPUT, Json, bad_input, client, out, print_json, run
from emta.client import Client
from emta.problems import Problem, in_words

# sysexits.h: mail servers keep the mail in their queue and run the command again.
EX_TEMPFAIL = 75
# A batch is full with so many; one mail is at most 1 MiB, so that the contract's 16 MiB hold.
_BATCH_MAILS, _BATCH_OCTETS = 100, 15 * 1024 * 1024
_MOST_OCTETS = 1024 * 1024
_STDIN = "-"

_FOUND_BY = {
    FoundBy.FOUND_BY_RETURN_PATH: "return path",
    FoundBy.FOUND_BY_MESSAGE_ID: "Message-ID",
    FoundBy.FOUND_BY_RECIPIENT: "recipient",
}
_EFFECTS = {
    InboundEffect.INBOUND_EFFECT_UNSPECIFIED: "nothing to record",
    InboundEffect.INBOUND_EFFECT_FAILED: "Failed",
    InboundEffect.INBOUND_EFFECT_RECORDED: "recorded",
    InboundEffect.INBOUND_EFFECT_DUPLICATE: "recorded before",
}

Batch = dict[str, QualifyInboundItem]


def inbound(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE|DIR|-",
            help="A mail, an mbox, a folder or Maildir of mails, or standard input.",
            show_default=False,
        ),
    ],
    recipient: Annotated[
        str, typer.Option(help="Address that the mail was delivered to, from its envelope.")
    ] = "",
    other: Annotated[
        Path | None,
        typer.Option(
            help="Folder that gets a copy of what people wrote, or nobody can tell.",
            exists=True,
            file_okay=False,
            writable=True,
        ),
    ] = None,
    remove: Annotated[
        bool, typer.Option("--remove", help="Remove each file that was dealt with, but mboxes.")
    ] = False,
    json: Json = False,
) -> None:
    """Hand over bounces and complaints that came by mail.

    And automatic answers and wishes to leave. The same mail twice counts once. Exit code: 0; 2 where a
    mail cannot be read; 75 where one has to be handed over again, as mail servers expect it of a command
    that they pipe mails to.

    \b
    emta inbound - --recipient "b+aaij@bounces.shop.example" < bounce.eml
    emta inbound /var/mail/bounces --remove
    """
    if recipient and source != _STDIN and Path(source).is_dir():
        bad_input("--recipient: is of one mail, and not of a folder")
    run(_inbound(source, recipient, other, remove, json))


async def _inbound(source: str, recipient: str, other: Path | None, remove: bool, json: bool) -> int:
    exit_code = 0
    troubles: list[str] = []
    # A wrong setting must cost no mail.
    async with client(EX_TEMPFAIL) as connection:
        for batch in _batches(_mails(source, troubles), recipient):
            for name, result in zip(batch, await _hand_over(connection, batch), strict=True):
                problem = Problem.from_status(result.error) if result.HasField("error") else None
                if json:
                    print_json("mail", {"file": _printable(name), **as_dict(result)})
                else:
                    _show(_printable(name), result, problem)
                if problem is not None:
                    code = EX_TEMPFAIL if _comes_again(problem) else EXIT_BAD_INPUT
                    exit_code = max(exit_code, code)
                    continue
                if other is not None and result.report.kind == InboundKind.INBOUND_KIND_OTHER:
                    _keep(batch[name].content, other)
                # A mailbox file holds other mails, and its mail server may be writing to it.
                if remove and not mbox.is_mbox(batch[name].content):
                    _remove(name, troubles)
    for why in troubles:
        print(f"emta: {why}", file=sys.stderr)
    return max(exit_code, EXIT_BAD_INPUT) if troubles else exit_code


def _comes_again(problem: Problem) -> bool:
    """Whether to hand over the mail again: also after a defect of ours, which may be gone by then."""
    return problem.code is not grpc.StatusCode.INVALID_ARGUMENT


def _keep(content: bytes, folder: Path) -> None:
    """Put a mail into a folder; the same again changes nothing."""
    name = hashlib.sha256(content).hexdigest()[:32]
    try:
        (folder / f"{name}.eml").write_bytes(content)
    except OSError as error:
        print(f"emta: {in_words(error)}", file=sys.stderr)
        raise SystemExit(EX_TEMPFAIL) from None


def _remove(name: str, troubles: list[str]) -> None:
    if name == _STDIN:
        return
    try:
        Path(name).unlink(missing_ok=True)
    except OSError as error:
        troubles.append(f"{_printable(name)}: cannot be removed: {error.strerror}")


def _printable(name: str) -> str:
    """Give a file's name, which may be in no encoding, as text."""
    return os.fsencode(name).decode(errors="backslashreplace")


async def _hand_over(connection: Client, batch: Batch) -> list[QualifyInboundResult]:
    """Give a result per mail; where the call fails for now, one for each that says so."""
    try:
        return await connection.inbound(batch.values())
    except Problem as problem:
        if not _comes_again(problem):
            raise
        return [QualifyInboundResult(error=problem.to_status())] * len(batch)


def _mails(source: str, troubles: list[str]) -> Iterator[tuple[str, QualifyInboundItem]]:
    """Give mails by name. Of a longer one, enough for the service to say that it is too long.

    What cannot be read is added to `troubles`, and holds up no other. A file that is gone was dealt with
    by somebody else meanwhile.
    """
    if source == _STDIN:
        yield _STDIN, QualifyInboundItem(content=sys.stdin.buffer.read(_MOST_OCTETS + 1))
        return
    path = Path(source)
    try:
        files = list(_files(path)) if path.is_dir() else [path]
    except OSError as error:
        bad_input(in_words(error))
    for file in files:
        try:
            yield from _mails_in(file)
        except OSError as error:
            if file == path or not isinstance(error, FileNotFoundError):
                troubles.append(f"{_printable(str(file))}: {error.strerror}")


def _mails_in(file: Path) -> Iterator[tuple[str, QualifyInboundItem]]:
    # Written once, when the mail came.
    arrived = min(int(file.stat().st_mtime), int(time.time()))
    with file.open("rb") as opened:
        for number, content in enumerate(mbox.mails(opened, _MOST_OCTETS), 1):
            item = QualifyInboundItem(content=content)
            item.arrival_time.FromSeconds(arrived)
            yield (str(file) if number == 1 else f"{file}, mail {number}"), item


def _files(folder: Path) -> Iterable[Path]:
    """Give the files of a folder, those of a Maildir from where they lie for readers."""
    maildir = [folder / name for name in ("new", "cur") if (folder / name).is_dir()]
    return (file for part in maildir or [folder] for file in sorted(part.iterdir()) if file.is_file())


def _batches(mails: Iterable[tuple[str, QualifyInboundItem]], recipient: str) -> Iterator[Batch]:
    batch: Batch = {}
    octets = 0
    for name, item in mails:
        if batch and (len(batch) == _BATCH_MAILS or octets + len(item.content) > _BATCH_OCTETS):
            yield batch
            batch, octets = {}, 0
        item.envelope_recipient = recipient
        batch[name] = item
        octets += len(item.content)
    if batch:
        yield batch


def _show(name: str, result: QualifyInboundResult, problem: Problem | None) -> None:
    if problem is not None:
        out.print(Text(f"{name}: {problem.message} ({problem.reason})", style="red"))
        return
    report = result.report
    kind = words.enum_words(InboundKind.Name(report.kind), "INBOUND_KIND_")
    forged = ", with a forged return path" if report.forged_return_path else ""
    out.print(Text(f"{name}: {kind}{forged}"))
    for recipient in report.recipients:
        out.print(Text(f"  {recipient.address or '(an address that is not told)'}: {_said(recipient)}"))


def _said(recipient: InboundRecipient) -> str:
    meaning = recipient.qualification
    parts = []
    if meaning.type:
        parts.append(f"{words.failure_type(meaning.type)} / {words.reason(meaning.reason)}")
    if not recipient.found_by:
        return ", ".join((*parts, "no message of ours"))
    found_by, effect = _FOUND_BY[recipient.found_by], _EFFECTS[recipient.effect]
    message = f"message {recipient.message_id} of {recipient.delivery_id} (by {found_by})"
    return ", ".join((*parts, f"{message}: {effect}"))
