"""Notifications of Amazon SES, which come as JSON in mails of Amazon SNS.

Fields: docs.aws.amazon.com/ses/latest/dg/notification-contents.html.
"""

from __future__ import annotations

import json
from typing import Any

from services.bounce.inbound.address import first_in
from services.bounce.inbound.charset import clean
from services.bounce.inbound.dsn import MAX_RECIPIENTS, recipient_of
from services.bounce.inbound.entity import Entity
from services.bounce.inbound.mail import Action, MailKind, Recipient

_KINDS = {"bounce": MailKind.BOUNCE, "complaint": MailKind.COMPLAINT, "delivery": MailKind.BOUNCE}
_LISTS = {"bounce": "bouncedRecipients", "complaint": "complainedRecipients", "delivery": "recipients"}


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
    name = (_text(content, "notificationType") or _text(content, "eventType")).lower()
    details = content.get(name)
    if name not in _KINDS or not isinstance(details, dict):
        return None
    about = details.get(_LISTS[name])
    listed = about[:MAX_RECIPIENTS] if isinstance(about, list) else []
    return _KINDS[name], [_recipient(name, details, each) for each in listed]


def _recipient(name: str, details: dict[str, Any], about: Any) -> Recipient:
    if name == "complaint":
        return Recipient(address=first_in(_text(about, "emailAddress")))
    if name == "delivery":
        address = first_in(about) if isinstance(about, str) else ""
        return recipient_of(address, _text(details, "smtpResponse"), Action.DELIVERED)
    return recipient_of(
        first_in(_text(about, "emailAddress")),
        _text(about, "diagnosticCode").removeprefix("smtp;").strip(),
        Action.DELAYED if _text(about, "action") == "delayed" else Action.FAILED,
        status=_text(about, "status") or ("4.0.0" if details.get("bounceType") == "Transient" else ""),
    )


def _text(each: Any, key: str) -> str:
    value = each.get(key) if isinstance(each, dict) else None
    return clean(value) if isinstance(value, str) else ""
