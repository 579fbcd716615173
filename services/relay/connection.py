"""Opening a connection: TCP, greeting, EHLO, STARTTLS. aiosmtplib is imported here only.

aiosmtplib's protocol does what comes before the first message. Its client class is not used: it does not
tell a refused connection from a lost greeting. The transactions are ours: see wire.py.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Self, cast

from aiosmtplib.errors import SMTPResponseException
from aiosmtplib.esmtp import parse_esmtp_extensions
from aiosmtplib.protocol import SMTPProtocol
from aiosmtplib.response import SMTPResponse
from aiosmtplib.typing import SMTPStatus

from emta.bounce.v1.smtp_reply_pb2 import FailureKind, SmtpPhase
from services.relay.replies import AttemptFailed, Place
from services.relay.tls import ResumingContext
from services.relay.wire import Wire, is_reply_line

# QUIT is a courtesy: what the receiver thinks of it changes nothing.
QUIT_SECONDS = 5.0

# Of a greeting or an answer to EHLO: several times what any server says.
_MOST_LINES = 100

_SERVICE_CLOSING = 421  # RFC 5321 section 4.2.3: the server closes the connection after it


@dataclass(frozen=True)
class Timeouts:
    """Longest waits, seconds: for the connection, the greeting, an answer to a command, the content to be
    taken, and the answer to the final dot (RFC 5321 section 4.5.3.2). For a large content there is a second
    more for each `octets_per_second`: whoever reads more slowly than that reads for an attack."""

    connect: float
    greeting: float
    command: float
    data: float
    dot: float
    octets_per_second: float = 5_000.0

    def upload(self, octets: int) -> float:
        """Longest time for a content to be taken, seconds."""
        return self.data + octets / self.octets_per_second


class _Protocol(SMTPProtocol):
    """aiosmtplib's, which would take the last code of several for the reply's, and +25 for a number; and
    which reads all of a reply anew with every line that comes."""

    def _read_response_from_buffer(self) -> SMTPResponse | None:
        said = bytes(self._buffer)
        if said.count(b"\n") > _MOST_LINES:
            raise SMTPResponseException(SMTPStatus.invalid_response, "an endless reply")
        response = super()._read_response_from_buffer()
        lines = said[: len(said) - len(self._buffer)].splitlines()
        for line in lines:
            if not is_reply_line(line, lines[0]):
                raise SMTPResponseException(SMTPStatus.invalid_response, line.decode(errors="replace"))
        return response


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
        self._secured: ssl.SSLObject | None = None

    @classmethod
    async def open(
        cls, place: Place, port: int, permits: Callable[[str], bool], timeouts: Timeouts
    ) -> Self:
        """Connect to place.remote_ip and read the greeting (phase CONNECT)."""
        sock = await _dial(place, port, timeouts.connect)
        try:
            local, peer = _ends(sock, place)
            if not permits(peer):
                text = f"connected to {peer}, which lies in a forbidden network"
                kind = FailureKind.FAILURE_KIND_FORBIDDEN_NETWORK
                raise AttemptFailed(place.failure(SmtpPhase.SMTP_PHASE_CONNECT, kind, text))
            loop = asyncio.get_running_loop()
            wire, protocol = await loop.create_connection(_Protocol, sock=sock)
        except BaseException:
            sock.close()
            raise
        connection = cls(protocol, wire, place._replace(local_ip=local), timeouts)
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

    async def start_tls(self, context: ResumingContext) -> None:
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
        secured: ssl.SSLObject | None = self._protocol.transport.get_extra_info("ssl_object")
        if secured is None:
            # RFC 3207 section 4: only a 220 begins TLS; it was another 2xx.
            raise self._lost(phase, FailureKind.FAILURE_KIND_PROTOCOL_ERROR, "agreed, but not with 220")
        self.place = self.place._replace(tls_version=secured.version() or "")
        self._secured = secured

    def remember_tls(self, context: ResumingContext) -> None:
        """Keep the TLS session for the next connections to the host."""
        if self._secured is not None and not self._secured.session_reused:
            context.remember(self.place.mx_host, self._secured)

    def hand_over(self) -> Wire:
        """Give the connection to its transactions."""
        transport = self._protocol.transport
        if not self.usable or transport is None:
            kind = FailureKind.FAILURE_KIND_CONNECTION_LOST
            raise self._lost(SmtpPhase.SMTP_PHASE_EHLO, kind, "the connection was lost")
        return Wire(cast(asyncio.Transport, transport), self._wire)

    async def quit(self) -> None:
        """Say goodbye where that makes sense, and close."""
        try:
            if self.usable:
                await self._protocol.execute_command(b"QUIT", timeout=QUIT_SECONDS)
        except (OSError, SMTPResponseException):
            pass
        finally:
            self.abort()
        await asyncio.sleep(0)  # the loop closes the socket in its next round

    def abort(self) -> None:
        """Close at once."""
        self._in_step = False
        self._wire.abort()

    async def _answer(
        self,
        phase: SmtpPhase,
        reading: Awaitable[SMTPResponse],
        expect: int = 2,
    ) -> SMTPResponse:
        """Wait for a reply; all but the expected class raise."""
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
        if code // 100 != expect or stale:
            kind = FailureKind.FAILURE_KIND_PROTOCOL_ERROR
            raise self._lost(phase, kind, f"unexpected reply: {code} {text}")
        return response

    def _lost(self, phase: SmtpPhase, kind: FailureKind, text: str) -> AttemptFailed:
        """A failure after which nobody knows what the server makes of the next line."""
        self._in_step = False
        return AttemptFailed(self.place.failure(phase, kind, text))


def _ends(sock: socket.socket, place: Place) -> tuple[str, str]:
    """Give our address and the server's, which are gone once it has reset the connection."""
    try:
        return sock.getsockname()[0], sock.getpeername()[0]
    except OSError:
        kind = FailureKind.FAILURE_KIND_CONNECTION_LOST
        text = "the connection was lost"
        raise AttemptFailed(place.failure(SmtpPhase.SMTP_PHASE_CONNECT, kind, text)) from None


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
