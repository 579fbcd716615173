"""One TCP connection to a receiving server and the SMTP lines on it. aiosmtplib is imported here only.

aiosmtplib's protocol parses replies and does STARTTLS. Its client class is not used: it does not tell
the DATA command from the final dot, nor a refused connection from a lost greeting.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from typing import Self

from aiosmtplib.errors import SMTPResponseException
from aiosmtplib.esmtp import parse_esmtp_extensions
from aiosmtplib.protocol import SMTPProtocol
from aiosmtplib.response import SMTPResponse

from emta.bounce.v1.smtp_reply_pb2 import FailureKind, SmtpPhase
from services.relay.replies import AttemptFailed, Place

# Seconds between looks at how much of the content has left; the same on asyncio's loop and on uvloop, in
# the clear and under TLS, where the transports' own flow control sees only a part of it.
_LOOK_SECONDS = 0.005
# QUIT is a courtesy: what the receiver thinks of it changes nothing.
_QUIT_SECONDS = 5.0

_SERVICE_CLOSING = 421  # RFC 5321 section 4.2.3: the server closes the connection after it


@dataclass(frozen=True)
class Timeouts:
    """Longest waits, seconds: for the connection, the greeting, an answer to a command, the upload of the
    content as a whole, and the answer to the final dot (RFC 5321 section 4.5.3.2)."""

    connect: float
    greeting: float
    command: float
    data: float
    dot: float


class Connection:
    """A greeted connection. Whatever is not the hoped-for reply is raised as AttemptFailed."""

    def __init__(
        self, protocol: SMTPProtocol, wire: asyncio.Transport, place: Place, timeouts: Timeouts
    ) -> None:
        self.place = place
        self._protocol = protocol
        self._wire = wire  # what lies below TLS, too
        self._timeouts = timeouts
        self._in_step = True

    @classmethod
    async def open(
        cls, place: Place, port: int, permits: Callable[[str], bool], timeouts: Timeouts
    ) -> Self:
        """Connect to place.remote_ip and read the greeting (phase CONNECT)."""
        sock = await _dial(place, port, timeouts.connect)
        try:
            local, peer = sock.getsockname()[0], sock.getpeername()[0]
            if not permits(peer):
                text = f"connected to {peer}, which lies in a forbidden network"
                kind = FailureKind.FAILURE_KIND_FORBIDDEN_NETWORK
                raise AttemptFailed(place.failure(SmtpPhase.SMTP_PHASE_CONNECT, kind, text))
            loop = asyncio.get_running_loop()
            wire, protocol = await loop.create_connection(SMTPProtocol, sock=sock)
        except BaseException:
            sock.close()
            raise
        connection = cls(protocol, wire, replace(place, local_ip=local), timeouts)
        try:
            greeting = protocol.read_response(timeout=timeouts.greeting)
            await connection._answer(SmtpPhase.SMTP_PHASE_CONNECT, greeting)
        except BaseException:
            connection.abort()
            raise
        return connection

    @property
    def usable(self) -> bool:
        """Whether the server is there and waits for a command."""
        return self._in_step and self._protocol.is_connected

    async def command(self, phase: SmtpPhase, *words: bytes, expect: int = 2) -> SMTPResponse:
        """Send a command; `expect` is the first digit of the hoped-for reply."""
        answer = self._protocol.execute_command(*words, timeout=self._timeouts.command)
        return await self._answer(phase, answer, expect)

    async def hello(self, phase: SmtpPhase, name: bytes) -> frozenset[str]:
        """Say EHLO, or HELO to a server that knows no EHLO. Gives the extensions in lower case."""
        try:
            response = await self.command(phase, b"EHLO", name)
        except AttemptFailed as refused:
            if refused.reply.code < 500 or not self.usable:
                raise
            try:
                await self.command(phase, b"HELO", name)
            except AttemptFailed as failed:
                # A server that refuses us and hangs up has said why before.
                raise (failed if failed.reply.code else refused) from None
            return frozenset()
        return frozenset(parse_esmtp_extensions(response.message)[0])

    async def start_tls(self, context: ssl.SSLContext) -> None:
        """Go over to TLS (RFC 3207)."""
        phase = SmtpPhase.SMTP_PHASE_STARTTLS
        upgrade = self._protocol.start_tls(
            context, server_hostname=self.place.mx_host, timeout=self._timeouts.command
        )
        try:
            await self._answer(phase, upgrade)
        except (ssl.SSLError, ValueError) as error:  # ValueError: a host name that SNI cannot carry
            raise self._lost(phase, FailureKind.FAILURE_KIND_TLS_FAILED, str(error)) from None
        if self._protocol.transport is None:
            raise self._lost(phase, FailureKind.FAILURE_KIND_CONNECTION_LOST, "lost after the handshake")
        secured: ssl.SSLObject = self._protocol.transport.get_extra_info("ssl_object")
        self.place = replace(self.place, tls_version=secured.version() or "")

    async def send_content(self, chunks: Iterable[bytes]) -> SMTPResponse:
        """Send what follows the 354; gives the 2xx that came for it.

        A failure has phase DATA until all was handed to the network, then DOT: without a code it then
        means that the receiver may have the message.
        """
        # Reads from the start: aiosmtplib drops what comes while nobody waits for it.
        reading = asyncio.create_task(self._protocol.read_response())
        # It must have begun before the server can answer: uvloop may deliver what the network has
        # before it takes a first step of a new task.
        await asyncio.sleep(0)
        try:
            async with asyncio.timeout(self._timeouts.data):
                complete = await self._upload(chunks, reading)
        except TimeoutError:
            reading.cancel()
            phase, kind = SmtpPhase.SMTP_PHASE_DATA, FailureKind.FAILURE_KIND_TIMEOUT
            raise self._lost(phase, kind, "the content was not taken in time") from None
        except BaseException:
            reading.cancel()
            raise
        # A lost connection drops its buffer: empty does not mean sent.
        sent = complete and self._protocol.is_connected
        # Stopped half-way, the server takes the next command for content.
        self._in_step = complete
        return await self._answer(
            SmtpPhase.SMTP_PHASE_DOT if sent else SmtpPhase.SMTP_PHASE_DATA,
            asyncio.wait_for(reading, self._timeouts.dot),
            # To half a message only a refusal is an answer.
            expect=2 if complete else None,
            last=complete,
        )

    async def quit(self) -> None:
        """Say goodbye where that makes sense, and close."""
        try:
            if self.usable:
                await self._protocol.execute_command(b"QUIT", timeout=_QUIT_SECONDS)
        except (OSError, SMTPResponseException):
            pass
        finally:
            self.abort()
        await asyncio.sleep(0)  # the loop closes the socket in its next round

    def abort(self) -> None:
        """Close at once."""
        self._in_step = False
        self._wire.abort()

    async def _upload(self, chunks: Iterable[bytes], reading: asyncio.Task[SMTPResponse]) -> bool:
        """Hand the content to the network; False: the server answered, or was lost, before the end."""
        for chunk in chunks:
            if reading.done() or not self._protocol.is_connected:
                return False
            self._protocol.write(chunk)
            while self._unsent():
                if reading.done():
                    return False
                await asyncio.sleep(_LOOK_SECONDS)
        return True

    def _unsent(self) -> int:
        waiting = self._wire.get_write_buffer_size()
        secured = self._protocol.transport
        if isinstance(secured, asyncio.WriteTransport) and secured is not self._wire:
            waiting += secured.get_write_buffer_size()
        return waiting

    async def _answer(
        self,
        phase: SmtpPhase,
        reading: Awaitable[SMTPResponse],
        expect: int | None = 2,
        *,
        last: bool = False,
    ) -> SMTPResponse:
        """Wait for a reply; all but the expected class raise. `last`: what follows it matters to nobody."""
        try:
            response = await reading
        except TimeoutError:
            raise self._lost(phase, FailureKind.FAILURE_KIND_TIMEOUT, "no answer in time") from None
        except SMTPResponseException as error:
            # -1: aiosmtplib could not parse it. Else it is start_tls telling what came in place of 220.
            response = SMTPResponse(error.code, error.message)
        except ssl.SSLError:
            raise
        except OSError:
            text = "the connection was lost"
            raise self._lost(phase, FailureKind.FAILURE_KIND_CONNECTION_LOST, text) from None
        code, text = response
        # A second reply behind the first: from here on every answer would be taken for another question's.
        stale = bool(self._protocol._buffer)
        if stale or code == _SERVICE_CLOSING:
            self._in_step = False
        if 400 <= code <= 599:
            raise AttemptFailed(self.place.refusal(phase, code, text))
        if code // 100 != expect or (stale and not last):
            kind = FailureKind.FAILURE_KIND_PROTOCOL_ERROR
            raise self._lost(phase, kind, f"unexpected reply: {code} {text}")
        return response

    def _lost(self, phase: SmtpPhase, kind: FailureKind, text: str) -> AttemptFailed:
        """A failure after which nobody knows what the server makes of the next line."""
        self._in_step = False
        return AttemptFailed(self.place.failure(phase, kind, text))


async def _dial(place: Place, port: int, timeout: float) -> socket.socket:
    phase = SmtpPhase.SMTP_PHASE_CONNECT
    family = socket.AF_INET6 if ":" in place.remote_ip else socket.AF_INET
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            async with asyncio.timeout(timeout):
                await asyncio.get_running_loop().sock_connect(sock, (place.remote_ip, port))
        except BaseException:
            sock.close()
            raise
    except TimeoutError:
        kind = FailureKind.FAILURE_KIND_TIMEOUT
        raise AttemptFailed(place.failure(phase, kind, "no connection in time")) from None
    except OSError as error:
        kind = FailureKind.FAILURE_KIND_CONNECTION_REFUSED
        raise AttemptFailed(place.failure(phase, kind, error.strerror or str(error))) from None
    return sock
