"""Notifications of Amazon SES, which come as JSON in mails of Amazon SNS.

Fields: docs.aws.amazon.com/ses/latest/dg/notification-contents.html.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from services.bounce.inbound.dsn import LONGEST_TEXT, MAX_RECIPIENTS, host, recipient_of
from services.bounce.inbound.entity import Entity
from services.bounce.inbound.mail import Action, MailKind, Recipient

_KINDS = {"bounce": MailKind.BOUNCE, "complaint": MailKind.COMPLAINT, "delivery": MailKind.BOUNCE}


def notification_in(mail: Entity) -> tuple[MailKind, list[Recipient]] | None:
    """Read a notification; None where a mail is none."""
    text = mail.parts[0].text.lstrip() if mail.parts else ""
    if not text.startswith("{") or not ('"notificationType"' in text or '"eventType"' in text):
        return None
    # Long lines are cut in transit, some with "!" where they were (Sendmail).
    text = text.partition("\n\n")[0].replace("!\n ", "").replace("\n", "")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    name = str(content.get("notificationType") or content.get("eventType")).lower()
    details = content.get(name)
    if name not in _KINDS or not isinstance(details, dict):
        return None
    return _KINDS[name], list(_recipients(name, details))[:MAX_RECIPIENTS]


def _recipients(name: str, details: dict[str, Any]) -> Iterator[Recipient]:
    remote = host(str(details.get("remoteMtaIp") or ""))
    if name == "delivery":
        said = str(details.get("smtpResponse") or "")
        for address in details.get("recipients") or ():
            yield recipient_of(str(address), said, Action.DELIVERED, remote_mta=remote)
    elif name == "complaint":
        for each in details.get("complainedRecipients") or ():
            yield Recipient(address=_text(each, "emailAddress"))
    else:
        temporary = details.get("bounceType") == "Transient"
        for each in details.get("bouncedRecipients") or ():
            said = _text(each, "diagnosticCode").removeprefix("smtp;").strip()[:LONGEST_TEXT]
            action = Action.FAILED if _text(each, "action") != "delayed" else Action.DELAYED
            status = _text(each, "status") or ("4.0.0" if temporary else "")
            yield recipient_of(_text(each, "emailAddress"), said, action, status=status, remote_mta=remote)


def _text(each: Any, key: str) -> str:
    return str(each.get(key) or "") if isinstance(each, dict) else ""
