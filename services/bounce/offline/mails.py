"""`python -m services.bounce inbound DIR`: mails in files, what they mean as JSON lines out."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from emta import mbox
from services.bounce.catalogue.catalogue import load
from services.bounce.catalogue.rule_file import RuleError
from services.bounce.inbound.entity import MAX_OCTETS, LimitError
from services.bounce.inbound.mail import InboundMail, MailKind, Recipient
from services.bounce.inbound.outcome import meaning
from services.bounce.inbound.reading import read
from services.bounce.offline.replies import failed, label_of, type_of
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
    with path.open("rb") as file:
        for number, raw in enumerate(mbox.mails(file, MAX_OCTETS), 1):
            try:
                mail = read(raw)
            except LimitError as error:
                row.setdefault("error", f"mail {number}: {error}" if number > 1 else str(error))
                continue
            row["recipients"] += [_recipient(mail, each, qualifier) for each in mail.recipients]
    return row


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
    if len(arguments) != 1 or arguments[0].startswith("-"):
        print("usage: python -m services.bounce inbound DIR", file=sys.stderr)
        return 2
    try:
        qualifier = Qualifier(load(load_settings(BounceSettings).rules))
        unreadable = None
        for path in sorted(path for path in Path(arguments[0]).iterdir() if path.is_file()):
            try:
                row = row_of(path, qualifier)
            except OSError as error:
                unreadable = OSError(f"{path.name}: {error.strerror}")
                row = {"file": path.name, "recipients": [], "error": error.strerror}
            print(json.dumps(row))
        if unreadable is not None:
            return failed("inbound", unreadable)
    except (RuleError, SettingsError, OSError) as error:
        return failed("inbound", error)
    return 0
