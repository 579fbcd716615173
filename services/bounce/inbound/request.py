"""Requests by mail: to leave a list (also the one click of RFC 2369's mailto), and to join one."""

from __future__ import annotations

import re

from services.bounce.inbound.entity import Entity
from services.bounce.inbound.mail import MailKind

# The first words of a subject or of the text; a person who writes more, begins otherwise.
_LEAVE = re.compile(
    r"(?:re: ?)?(?:please )?(?:unsubscribe|unsub|opt[ -]?out|remove(?: me)?|take me off|stop|signoff|sign off|leave"
    r"|d[ée]sabonne(?:r|ment)|d[ée]sinscri(?:re|ption)|abmelde[nr]?|abbestellen|austragen|darse de baja|dar de baja|baja"
    r"|cancella(?:mi|rsi|zione)|disiscri\w{1,6}|cancelar|descadastrar|remover|afmelden|uitschrijven|avregistrera"
    r"|отписаться|отписка|wypisz|rezygnuj[eę]|配信停止|退会|退订|取消订阅)\b",
    re.IGNORECASE,
)
_JOIN = re.compile(
    r"(?:re: ?)?(?:please )?(?:subscribe|sub|opt[ -]?in|sign ?up|join|s'abonner|abonner|abonnieren|anmelden"
    r"|suscribir(?:se|me)?|alta|iscrivi(?:mi|ti)?|inscrever|aanmelden|подписаться|登録|订阅)\b",
    re.IGNORECASE,
)
_LEAVE_ADDRESS = re.compile(
    r"(?:^|[.+_-])(?:unsubscribe|unsub|leave|optout|opt-out|signoff|remove)(?:$|[.+_=-])"
)
_JOIN_ADDRESS = re.compile(r"(?:^|[.+_-])(?:subscribe|join|optin|opt-in)(?:$|[.+_=-])")


def request_in(mail: Entity, lines: list[str], arrived_at: tuple[str, ...]) -> MailKind | None:
    """Say what a mail asks for, by the address it came to, its subject, or its first line; None: nothing."""
    local_parts = [address.rpartition("@")[0].lower() for address in arrived_at]
    if any(_LEAVE_ADDRESS.search(each) for each in local_parts):
        return MailKind.UNSUBSCRIBE
    if any(_JOIN_ADDRESS.search(each) for each in local_parts):
        return MailKind.SUBSCRIBE
    first_line = next((line.strip() for line in lines if line.strip()), "")
    for words in (mail.fields.words("subject").strip(), first_line):
        if _LEAVE.match(words):
            return MailKind.UNSUBSCRIBE
        if _JOIN.match(words):
            return MailKind.SUBSCRIBE
    return None
