"""The demo's mailing: 1,000 personalised HTML messages in several languages and charsets."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP

from google.protobuf.duration_pb2 import Duration

from demo.machine import SENDER_DOMAIN
from emta.relay.v1.message_pb2 import Message


@dataclass(frozen=True)
class _Language:
    charset: str
    subject: str
    greeting: str
    text: str
    names: tuple[str, ...]


_LANGUAGES = (
    _Language("utf-8", "Spring is here", "Hello", "Your voucher is waiting for you.", ("Ada", "Grace")),
    _Language("iso-8859-1", "Frühling für Sie", "Grüß Gott", "Ihr Gutschein wartet.", ("Jürgen", "Zoë")),
    _Language(
        "windows-1252", "C’est le printemps", "Bonjour", "Votre chèque vous attend.", ("Hélène", "René")
    ),
    _Language("utf-8", "Ya es primavera", "¡Hola", "Su vale le está esperando.", ("Íñigo", "Begoña")),
    _Language(
        "iso-8859-2", "Wiosna już tu jest", "Dzień dobry", "Twój bon czeka.", ("Łukasz", "Małgorzata")
    ),
    _Language("koi8-r", "Весна пришла", "Здравствуйте", "Ваш купон ждёт вас.", ("Анна", "Сергей")),
    _Language(
        "iso-2022-jp", "春が来ました", "こんにちは", "クーポンをお受け取りください。", ("花子", "太郎")
    ),
    _Language("gb18030", "春天来了", "您好", "您的优惠券正在等您。", ("小明", "美丽")),
    _Language("utf-8", "Η άνοιξη ήρθε", "Γεια σας", "Το κουπόνι σας περιμένει.", ("Ελένη", "Νίκος")),
)

# What becomes of a hundred recipients at the sites that answer by their address, in per cent.
_MIX = {
    "ok": 78,
    "greylist": 5,
    "mailbox-full-then-ok": 3,
    "user-unknown": 4,
    "slow": 2,
    "always-soft": 2,
    "mailbox-full": 1,
    "spam-block": 1,
    "disabled": 1,
    "policy-block": 1,
    "busy": 1,
    "odd-text": 1,
}
# Two in a thousand each go where nobody is.
_LOST_DOMAINS = ("no-such.example", "null-mx.example")
_EVERY_LOST = 250
_EVERY_ATTACHMENT = 20


def recipients(domains: tuple[str, ...], count: int) -> list[str]:
    """Make `count` addresses at `domains`, the same ones every time."""
    dice = random.Random(7)
    behaviours = dice.choices(list(_MIX), weights=list(_MIX.values()), k=count)
    addresses = []
    for number, behaviour in enumerate(behaviours):
        if number % _EVERY_LOST < len(_LOST_DOMAINS):
            addresses.append(f"ok+{number}@{_LOST_DOMAINS[number % _EVERY_LOST]}")
        else:
            addresses.append(f"{behaviour}+{number}@{domains[number % len(domains)]}")
    return addresses


def mailing(delivery: str, addresses: list[str], validity_seconds: int) -> Iterator[Message]:
    """Make a message for every address."""
    for number, address in enumerate(addresses, start=1):
        yield Message(
            message_id=str(number),
            delivery_id=delivery,
            mail_from=f"bounces@{SENDER_DOMAIN}",
            rcpt_to=address,
            content=_content(number, address),
            validity=Duration(seconds=validity_seconds),
        )


def _content(number: int, address: str) -> bytes:
    language = _LANGUAGES[number % len(_LANGUAGES)]
    name = language.names[number % len(language.names)]
    link = f"https://{SENDER_DOMAIN}/voucher/{random.Random(number).getrandbits(128):032x}"
    message = EmailMessage(policy=SMTP)
    message["From"] = f"The Shop <news@{SENDER_DOMAIN}>"
    message["To"] = address
    message["Subject"] = f"{language.subject}, {name}"
    message["List-Unsubscribe"] = f"<https://{SENDER_DOMAIN}/unsubscribe/{number}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    text = f"{language.greeting}, {name}!\n\n{language.text}\n\n{link}\n"
    message.set_content(text, charset=language.charset)
    message.add_alternative(_html(language, name, link), subtype="html", charset=language.charset)
    if number % _EVERY_ATTACHMENT == 0:
        terms = random.Random(number).randbytes(4_000)
        message.add_attachment(terms, maintype="application", subtype="pdf", filename="terms.pdf")
    return message.as_bytes()


def _html(language: _Language, name: str, link: str) -> str:
    rows = "".join(
        f'<tr><td class="offer">{language.text} ({row})</td><td><a href="{link}/{row}">&rarr;</a></td></tr>'
        for row in range(1, 13)
    )
    return (
        f"<!doctype html><html><body><h1>{language.greeting}, {name}!</h1>"
        f'<p>{language.text}</p><table width="600">{rows}</table>'
        f'<p><a href="{link}">{link}</a></p></body></html>'
    )
