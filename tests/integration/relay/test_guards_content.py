"""What cannot be slipped past us in a content or an address (attack rows S1 to S4)."""

from __future__ import annotations

import random
from email import message_from_bytes

import dkim
import pytest

from services.relay.message import normalize
from services.relay.transaction import Delivered, Transaction
from tests.integration.relay.lax_server import LaxServer
from tests.integration.relay.scripted_world import ADDRESS, DOMAIN, MANNERS, MESSAGE, Manner, World, message

PIPELINED = Manner(tls=False, pipelining=True)
ENDS = [b"\r\n", b"\n", b"\r"]
SMUGGLED = b"MAIL FROM:<evil@emta.example>%bRCPT TO:<victim@a.example>%bDATA%bSubject: evil%b%bevil"
HEADER = (
    b"From: a@emta.example\r\nDate: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@emta.example>\r\n\r\n"
)


def dots() -> dict[str, bytes]:
    """Every dot between two line ends, and those with something invisible about them."""
    between = [before + b"." + after for before in ENDS for after in ENDS]
    odd = [b"\r\n.\r\r\n", b"\n\n.\n\n", b"\r\r.\r\r", b"\r\n..\r\n", b"\n..\n", b"\r\n.\r\n.\r\n"]
    return {repr(dot): dot for dot in between + odd}


def normalized(content: bytes, number: int = 0) -> Transaction:
    told = normalize(content, now_ms=0, message_id=lambda: "<1@emta.example>")
    signature = b"X-Signature: of another making\r\n"
    return Transaction("from@emta.example", f"to{number}@{DOMAIN}", signature, told.content, False, False)


@pytest.mark.parametrize("dot", dots().values(), ids=dots())
@pytest.mark.parametrize("end", ENDS, ids=repr)
async def test_nothing_is_smuggled_past_a_lax_server(world: World, dot: bytes, end: bytes) -> None:
    server = LaxServer()
    world.zone.add_site(DOMAIN, [(10, f"mx1.{DOMAIN}", [ADDRESS])])
    await world.listen(server)
    hidden = SMUGGLED.replace(b"%b", end) + dot
    first = normalized(HEADER + b"good" + dot + hidden, 1)
    second = normalized(HEADER + b"good too" + dot + hidden + hidden, 2)
    session = await world.open()
    assert isinstance(await session.send(first, lambda: second), Delivered)
    assert isinstance(await session.send(second), Delivered)
    assert [mail for mail, _ in server.mails] == [
        b"MAIL FROM:<from@emta.example> SIZE=%d" % size
        for size in (len(first.signature + first.content), len(second.signature + second.content))
    ]
    assert not any(b"evil" in command or b"victim" in command for command in server.commands)
    for sent, (_, received) in zip((first, second), server.mails, strict=True):
        assert received.replace(b"\r\n.", b"\r\n") + b"\r\n" == sent.signature + sent.content


# -- S3: dots, byte for byte

CONTENTS = {
    "a dot first": b".\r\nlast\r\n",
    "a dot last": b"first\r\n.\r\n",
    "only a dot": b".\r\n",
    "only dots": b".\r\n..\r\n...\r\n",
    "dots that begin words": b".x\r\n..x\r\n",
    "dots inside and behind": b"x.\r\nx.x\r\n .\r\n",
    "empty lines and dots": b"\r\n\r\n.\r\n\r\n.\r\n",
    "the end of data and more": b"x\r\n.\r\nQUIT\r\n",
    "dots everywhere": b".\r\n" * 5000,
}


def unstuffed(content: bytes) -> bytes:
    """What a server makes of what follows DATA (RFC 5321 section 4.5.2)."""
    lines = content.split(b"\r\n")
    assert lines[-2:] == [b".", b""]
    return b"".join(line.removeprefix(b".") + b"\r\n" for line in lines[:-2])


@pytest.mark.parametrize("manner", MANNERS, ids=str)
@pytest.mark.parametrize("signature", [b"", b"DKIM-Signature: v=1\r\n"], ids=["unsigned", "signed"])
async def test_contents_arrive_byte_for_byte(world: World, manner: Manner, signature: bytes) -> None:
    server = await world.speak(manner)
    session = await world.open()
    wanted = [
        Transaction("", f"to@{DOMAIN}", signature, content, False, False) for content in CONTENTS.values()
    ]
    for number, each in enumerate(wanted, 1):
        coming = wanted[number] if number < len(wanted) else None
        assert isinstance(await session.send(each, lambda coming=coming: coming), Delivered)
    assert [unstuffed(content) for content in server.contents] == [
        signature + content for content in CONTENTS.values()
    ]


@pytest.mark.parametrize("tls", [False, True], ids=["clear", "TLS"])
async def test_large_contents_arrive_byte_for_byte_wherever_they_are_cut(world: World, tls: bool) -> None:
    dice = random.Random(4)
    server = await world.speak(Manner(tls, pipelining=True))
    session = await world.open()
    # Cut every so many octets on their way: among them lines of nothing but dots.
    content = b"".join(
        b"." * dice.randrange(5) + b"x" * dice.randrange(3) + b"\r\n" for _ in range(200_000)
    )
    first, second = message(1, content), message(2)
    assert isinstance(await session.send(first, lambda: second), Delivered)
    assert isinstance(await session.send(second), Delivered)
    assert [unstuffed(each) for each in server.contents] == [content, second.content]


# -- S2: what was signed is what is sent


async def test_a_signature_holds_at_the_receiver(world: World) -> None:
    content = normalized(b"From: a@emta.example\nSubject: x\n\n.lead\r.\n..\rlast").content
    key, record = _key()
    signature = dkim.sign(content, b"s", b"emta.example", key, canonicalize=(b"relaxed", b"relaxed"))
    server = await world.speak(PIPELINED)
    session = await world.open()
    sent = Transaction("a@emta.example", f"to@{DOMAIN}", signature, content, False, False)
    assert isinstance(await session.send(sent), Delivered)
    received = unstuffed(server.contents[0])
    assert dkim.verify(received, dnsfunc=lambda name, timeout=5: record)
    assert message_from_bytes(received)["Subject"] == "x"


def _key() -> tuple[bytes, bytes]:
    import base64

    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return pem, b"v=DKIM1; k=rsa; p=" + base64.b64encode(der)


# -- S4: addresses that would be commands (they are refused at accept; this is the second lock)

BAD_ADDRESSES = ["a@x>\r\nRCPT TO:<e@y", "a@x\nDATA", "a\r@x", "a\x00@x", "a\x7f@x", "a\t@x"]


@pytest.mark.parametrize("address", BAD_ADDRESSES, ids=repr)
@pytest.mark.parametrize("pipelining", [False, True])
@pytest.mark.parametrize("sender", [False, True], ids=["recipient", "sender"])
async def test_an_address_with_controls_is_never_written(
    world: World, sender: bool, pipelining: bool, address: str
) -> None:
    bad = Transaction(
        *((address, MESSAGE.rcpt_to) if sender else (MESSAGE.mail_from, address)),
        b"",
        b"x\r\n",
        False,
        False,
    )
    server = await world.speak(Manner(tls=False, pipelining=pipelining))
    session = await world.open()
    with pytest.raises(ValueError, match="control character"):
        await session.send(bad)
    assert not session.usable
    await session.close()
    assert server.verbs == ["EHLO"]
