"""`python -m services.bounce inbound DIR`: mails in files, what they mean as JSON lines out."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from services.bounce.catalogue import RuleError, load
from services.bounce.inbound.entity import MAX_OCTETS, LimitError
from services.bounce.inbound.mail import InboundMail, MailKind, Recipient
from services.bounce.inbound.outcome import meaning
from services.bounce.inbound.reading import read
from services.bounce.offline import failed, label_of, type_of
from services.bounce.qualify import Qualifier
from services.bounce.settings import BounceSettings
from services.chassis.settings import SettingsError, load_settings

# What a line says of recipients to whom no delivery was tried.
_ACTIONS = {
    MailKind.COMPLAINT: "feedback",
    MailKind.AUTHENTICATION: "feedback",
    MailKind.AUTO_REPLY: "auto-reply",
}


def row_of(path: Path, qualifier: Qualifier) -> dict[str, Any]:
    """Give the answer to one file: a mail, or several in mbox format (RFC 4155). Raises OSError."""
    row: dict[str, Any] = {"file": path.name, "recipients": []}
    try:
        if (octets := path.stat().st_size) > MAX_OCTETS:
            raise LimitError(f"{octets:,} octets, over {MAX_OCTETS:,}")
        for raw in _mails(path.read_bytes()):
            mail = read(raw)
            row["recipients"] += [_recipient(mail, each, qualifier) for each in mail.recipients]
    except LimitError as error:
        return {"file": path.name, "recipients": [], "error": str(error)}
    return row


def _mails(content: bytes) -> Iterator[bytes]:
    """Cut an mbox into its mails; a file that does not begin as one is one mail."""
    if not content.startswith(b"From "):
        yield content
        return
    first, *others = content.split(b"\n\nFrom ")
    yield first
    yield from (b"From " + other for other in others)


def _recipient(mail: InboundMail, recipient: Recipient, qualifier: Qualifier) -> dict[str, Any]:
    found = meaning(mail, recipient, qualifier)
    return {
        "recipient": recipient.address,
        "action": str(recipient.action or _ACTIONS.get(mail.kind, mail.kind)),
        "status": recipient.status or None,
        "reply_code": recipient.reply_code or None,
        "type": type_of(found) if found else "none",
        "reason": label_of(found) if found else None,
        "is_fbl": mail.kind in (MailKind.COMPLAINT, MailKind.AUTHENTICATION),
        "is_autoreply": mail.kind == MailKind.AUTO_REPLY,
    }


def main(arguments: list[str]) -> int:
    """Read every mail of a directory; gives the exit code."""
    if len(arguments) != 1:
        print("usage: python -m services.bounce inbound DIR", file=sys.stderr)
        return 2
    try:
        qualifier = Qualifier(load(load_settings(BounceSettings).rules))
        for path in sorted(path for path in Path(arguments[0]).iterdir() if path.is_file()):
            print(json.dumps(row_of(path, qualifier)))
    except (RuleError, SettingsError, OSError) as error:
        return failed("inbound", error)
    return 0
