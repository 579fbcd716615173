"""Requests by mail: to leave a list (also the one click of RFC 2369's mailto), and to join one."""

from __future__ import annotations

from services.bounce.inbound.entity import Entity
from services.bounce.inbound.mail import MailKind
from services.bounce.inbound.words import words

_WORDS = {MailKind.UNSUBSCRIBE: words("request", "leave"), MailKind.SUBSCRIBE: words("request", "join")}
_ADDRESSES = {
    MailKind.UNSUBSCRIBE: words("request", "leave_address"),
    MailKind.SUBSCRIBE: words("request", "join_address"),
}
_LOOKED_AT = 200


def request_in(mail: Entity, lines: list[str], arrived_at: tuple[str, ...]) -> MailKind | None:
    """Say what a mail asks for, by the address it came to, its subject or its first line; None: nothing."""
    for kind, pattern in _ADDRESSES.items():
        if any(pattern.search(address.rpartition("@")[0]) for address in arrived_at):
            return kind
    first_line = next((line.strip() for line in lines if line.strip()), "")
    for said in (mail.fields.words("subject").strip(), first_line):
        for kind, pattern in _WORDS.items():
            if pattern.search(said[:_LOOKED_AT]):
                return kind
    return None
