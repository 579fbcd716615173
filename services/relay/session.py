"""Sessions: a receiving server is sent messages one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from emta.bounce.v1.smtp_reply_pb2 import FailureKind, SmtpPhase, SmtpReply
from services.relay import transaction
from services.relay.connection import QUIT_SECONDS, Timeouts
from services.relay.replies import Place, printable
from services.relay.transaction import END_OF_DATA, Delivered, Refused, Result, Transaction, Unknown
from services.relay.wire import Reply, Wire, WireFailed

# Octets handed to the network at once: small enough that encrypting them stops nobody else for long.
_CHUNK = 256 * 1024
# What the network takes at once; a loss is then a loss after the dot, which is never wrong to assume.
_SMALL = 32 * 1024
# Named once: a look at an enum of protobuf costs a microsecond.
_MAIL, _RCPT = SmtpPhase.SMTP_PHASE_MAIL, SmtpPhase.SMTP_PHASE_RCPT
_DATA, _DOT = SmtpPhase.SMTP_PHASE_DATA, SmtpPhase.SMTP_PHASE_DOT
_PHASES = (_MAIL, _RCPT, _DATA)
# First digits of the replies hoped for.
_HOPED_FOR = {_MAIL: 2, _RCPT: 2, _DATA: 3}

_Following = Callable[[], Transaction | None]
_StillOurs = Callable[[], bool]


class Session:
    """A server that is ready for messages. One at a time."""

    def __init__(
        self, wire: Wire, place: Place, offered: frozenset[str], messages: int, timeouts: Timeouts
    ) -> None:
        """`offered`: the server's extensions in lower case; `messages`: how many it may get."""
        self._wire = wire
        self._place = place
        self._offered = offered
        self._left = messages
        self._timeouts = timeouts
        self._ready = True
        self._announced: Transaction | None = None
        self._envelope_is_out = False

    @property
    def usable(self) -> bool:
        """Whether another message may be sent: not after a loss, a 421, the limit, or a doubtful reply."""
        return self._ready and self._left > 0 and self._wire.usable

    async def send(
        self,
        message: Transaction,
        following: _Following | None = None,
        still_ours: _StillOurs = lambda: True,
    ) -> Result | None:
        """Offer a message to the server. A session that is not usable refuses it as CONNECTION_LOST.

        `following` is asked for the next message right before this one's final dot; its envelope goes out
        behind the dot (RFC 2920 section 3.1), which saves a round trip. The next call must then be for it.

        `still_ours` is asked right before the final dot. When it says no, the message is not delivered,
        the connection is closed, and the result is None: a server may take minutes up to its 354, or we
        may have stood still, and somebody else is sending the message by now.
        """
        if self._announced is not None and self._announced is not message:
            raise ValueError("another message was announced")
        self._announced = None
        place = self._place_for(message)
        if not self.usable:
            kind = FailureKind.FAILURE_KIND_CONNECTION_LOST
            text = "the connection was closed between two messages"
            return Refused(place.failure(_MAIL, kind, text))
        missing = transaction.missing_extensions(message, self._offered)
        if missing:
            kind = FailureKind.FAILURE_KIND_EXTENSION_MISSING
            text = f"the server does not offer {' and '.join(missing)}"
            return Refused(place.failure(_MAIL, kind, text))
        self._left -= 1
        # Stays so when we are cancelled in the middle.
        self._ready = False
        refused = await self._offer(message, place)
        result = refused or await self._send_content(message, place, following, still_ours)
        self._ready = True
        return result

    async def close(self) -> None:
        """Say QUIT where the server still listens, and close."""
        if self._wire.usable and self._ready and not self._envelope_is_out:
            self._wire.write(b"QUIT\r\n", 1)
            with suppress(WireFailed):
                await self._wire.reply(QUIT_SECONDS)
        self._wire.close()
        await asyncio.sleep(0)  # the loop closes the socket in its next round

    def _place_for(self, message: Transaction) -> Place:
        domain, place = message.rcpt_to.rpartition("@")[2], self._place
        return Place(domain, place.mx_host, place.remote_ip, place.local_ip, place.tls_version)

    async def _offer(self, message: Transaction, place: Place) -> Refused | None:
        """MAIL, RCPT and DATA, up to the server's 354; gives what it says instead."""
        wire = self._wire
        waits = self._timeouts.command
        pipelining = "pipelining" in self._offered
        if not self._envelope_is_out:
            commands = (*transaction.envelope(message, self._offered), b"DATA\r\n")
            if pipelining:
                wire.write(b"".join(commands), len(commands))
        self._envelope_is_out = False
        refusal: SmtpReply | None = None
        for number, phase in enumerate(_PHASES):
            if not pipelining:
                wire.write(commands[number], 1)
            try:
                reply = await wire.reply(waits)
            except WireFailed as failed:
                return Refused(_outdone(refusal, place, phase, failed))
            if reply.kind not in (_HOPED_FOR[phase], 4, 5):
                # It talks about something else, and may have done so before.
                wire.close()
                return Refused(_refusal(place, phase, reply))
            if refusal is None and reply.kind != _HOPED_FOR[phase]:
                refusal = _refusal(place, phase, reply)
                if not (pipelining and wire.usable):
                    break
        if refusal is None:
            return Refused(_outdone(None, place, phase, wire.failure)) if wire.failure else None
        if reply.kind == _HOPED_FOR[_DATA]:
            # RFC 2920 section 3.1: it wants a content for nobody. The shortest there is, which no answer
            # makes a delivery.
            wire.write(END_OF_DATA, 1)
            with suppress(WireFailed):
                await wire.reply(waits)
        return Refused(await self._confirmed(refusal, place, pipelining))

    async def _confirmed(self, refusal: SmtpReply, place: Place, pipelining: bool) -> SmtpReply:
        """Believe a refusal when the server is still in step with us: it answers RSET, and once.

        With commands in groups an answer too many shifts all that follow it unnoticed; this one would then
        be about something else.
        """
        wire = self._wire
        if wire.usable:
            wire.write(b"RSET\r\n", 1)
            with suppress(WireFailed):
                reply = await wire.reply(self._timeouts.command)
                if reply.kind != 2 and wire.usable:
                    wire.close()
                    if pipelining:
                        kind = FailureKind.FAILURE_KIND_PROTOCOL_ERROR
                        text = f"RSET was answered: {reply.code} {reply.text}"
                        return place.failure(refusal.phase, kind, text)
        return _outdone(refusal, place, refusal.phase, wire.failure) if wire.failure else refusal

    async def _send_content(
        self, message: Transaction, place: Place, following: _Following | None, still_ours: _StillOurs
    ) -> Result | None:
        parts = transaction.stuffed(message)
        try:
            complete = await self._upload(parts, following, still_ours)
        except WireFailed as failed:
            return Refused(place.failure(_DATA, failed.kind, failed.text))
        if complete is None:
            self._wire.close()
            return None
        phase = _DOT if complete else _DATA
        try:
            reply = await self._wire.reply(self._timeouts.dot)
        except WireFailed as failed:
            told = place.failure(phase, failed.kind, failed.text)
            return Unknown(told) if complete else Refused(told)
        if not complete:
            # Stopped half-way, the server takes the next command for content.
            self._wire.close()
            return Refused(_refusal(place, phase, reply))
        if reply.kind in (4, 5):
            return Refused(place.refusal(phase, reply.code, reply.text))
        if reply.kind != 2:
            self._wire.close()
            return Unknown(_refusal(place, phase, reply))
        return Delivered(
            reply_text=printable(f"{reply.code} {reply.text}"),
            mx_host=place.mx_host,
            remote_ip=place.remote_ip,
            local_ip=place.local_ip,
            tls_version=place.tls_version,
        )

    async def _upload(
        self, parts: list[bytes], following: _Following | None, still_ours: _StillOurs
    ) -> bool | None:
        """Send the content and the final dot; False: the server answered, or was lost, before the end;
        None: the dot was withheld."""
        wire, octets = self._wire, sum(map(len, parts))
        by = asyncio.get_running_loop().time() + self._timeouts.upload(octets)
        # An answer to the content may come before its end.
        wire.owed(1)
        if octets > _CHUNK:
            whole = b"".join(parts)
            parts = []
            for start in range(0, octets, _CHUNK):
                wire.write(whole[start : start + _CHUNK])
                if not await wire.sent(by) or wire.answered:
                    return False
        if not still_ours():
            return None
        tail, replies = END_OF_DATA, 0
        if following is not None and self._left > 0 and "pipelining" in self._offered:
            self._announced = following()
            if self._announced is not None and not transaction.missing_extensions(
                self._announced, self._offered
            ):
                tail = b"".join((tail, *transaction.envelope(self._announced, self._offered), b"DATA\r\n"))
                replies, self._envelope_is_out = 3, True
        wire.write(b"".join((*parts, tail)), replies)
        if octets <= _SMALL:
            return wire.failure is None
        return await wire.sent(by, len(tail) - len(END_OF_DATA))


def _outdone(refusal: SmtpReply | None, place: Place, phase: SmtpPhase, failed: WireFailed) -> SmtpReply:
    """Choose between a refusal and the failure after it.

    A server that refuses us and hangs up has said why before; one that talks nonsense may have before.
    """
    if refusal is not None and failed.kind != FailureKind.FAILURE_KIND_PROTOCOL_ERROR:
        return refusal
    return place.failure(phase, failed.kind, failed.text)


def _refusal(place: Place, phase: SmtpPhase, reply: Reply) -> SmtpReply:
    if reply.kind in (4, 5):
        return place.refusal(phase, reply.code, reply.text)
    kind = FailureKind.FAILURE_KIND_PROTOCOL_ERROR
    return place.failure(phase, kind, f"unexpected reply: {reply.code} {reply.text}")
