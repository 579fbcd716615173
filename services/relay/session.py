"""Sessions with receiving servers: find one that takes us, then send it messages one after the other."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator

from emta.bounce.v1.smtp_reply_pb2 import FailureKind, SmtpPhase, SmtpReply
from services.chassis import logs
from services.relay import transaction
from services.relay.connection import Connection, Timeouts
from services.relay.mx import Route
from services.relay.networks import Networks
from services.relay.replies import AttemptFailed, Place, printable
from services.relay.transaction import Delivered, Refused, Result, Transaction, Unknown

__all__ = [
    "Connector",
    "Delivered",
    "Refused",
    "Result",
    "Session",
    "Timeouts",
    "Transaction",
    "Unknown",
]

# Addresses tried in one attempt, as Postfix does (smtp_mx_address_limit). A second host gets its turn
# even when the first one has many addresses.
_MAX_TRIES, _MAX_TRIES_OF_A_HOST = 5, 2
# Octets handed to the network at once: small enough that encrypting them stops nobody else for long.
_CHUNK = 256 * 1024

_log = logs.Log("relay")


class Connector:
    """Opens sessions with whatever server a domain's MX records lead to."""

    def __init__(
        self,
        networks: Networks,
        *,
        ehlo_name: str,
        port: int,
        timeouts: Timeouts,
        starttls: bool,
        messages_per_connection: int,
    ) -> None:
        self._networks = networks
        self._ehlo_name = ehlo_name.encode("ascii")
        self._port = port
        self._timeouts = timeouts
        self._tls = _opportunistic_tls() if starttls else None
        self._messages = messages_per_connection

    async def open(self, route: Route) -> Session:
        """Connect to the first server of a route that takes us.

        Raises AttemptFailed when none does: with the last reply that a server gave, else with the last
        failure.
        """
        domain = ""
        outcome: SmtpReply | None = None
        for place in self._places(domain, route):
            try:
                return await self._open(place)
            except AttemptFailed as failed:
                if outcome is None or failed.reply.code or not outcome.code:
                    outcome = failed.reply
        if outcome is None:
            text = f"every mail server of {domain} lies in a forbidden network"
            outcome = Place(domain, route.hosts[0].name).failure(
                SmtpPhase.SMTP_PHASE_DNS, FailureKind.FAILURE_KIND_FORBIDDEN_NETWORK, text
            )
        raise AttemptFailed(outcome)

    def _places(self, domain: str, route: Route) -> Iterator[Place]:
        of_a_host = _MAX_TRIES if len(route.hosts) == 1 else _MAX_TRIES_OF_A_HOST
        left = _MAX_TRIES
        for host in route.hosts:
            permitted = [address for address in host.addresses if self._networks.permits(address)]
            for address in permitted[: min(of_a_host, left)]:
                left -= 1
                yield Place(domain, host.name, address)

    async def _open(self, place: Place) -> Session:
        try:
            return await self._greeted(place, self._tls)
        except AttemptFailed as failed:
            if failed.reply.phase != SmtpPhase.SMTP_PHASE_STARTTLS:
                raise
            # Opportunistic (RFC 7435): a server whose TLS is broken still gets its mail, in the clear.
            _log.info(
                "starttls_failed",
                mx_host=place.mx_host,
                code=failed.reply.code,
                failure=FailureKind.Name(failed.reply.failure),
            )
        return await self._greeted(place, None)

    async def _greeted(self, place: Place, tls: ssl.SSLContext | None) -> Session:
        connection = await Connection.open(place, self._port, self._networks.permits, self._timeouts)
        try:
            offered = await connection.hello(SmtpPhase.SMTP_PHASE_EHLO, self._ehlo_name)
            if tls is not None and "starttls" in offered:
                await connection.start_tls(tls)
                # RFC 3207 section 4.2: what was said before counts no more.
                offered = await connection.hello(SmtpPhase.SMTP_PHASE_STARTTLS, self._ehlo_name)
        except AttemptFailed:
            await connection.quit()
            raise
        except BaseException:
            connection.abort()
            raise
        return Session(connection, offered, self._messages)


class Session:
    """A server that is ready for messages. One at a time."""

    def __init__(self, connection: Connection, offered: frozenset[str], messages: int) -> None:
        """`offered`: the server's extensions in lower case; `messages`: how many it may get."""
        self._connection = connection
        self._offered = offered
        self._left = messages
        self._ready = True

    @property
    def usable(self) -> bool:
        """Whether another message may be sent: not after a loss, a 421, the limit, or a doubtful reply."""
        return self._ready and self._left > 0 and self._connection.usable

    async def send(
        self, message: Transaction, following: Callable[[], Transaction | None] | None = None
    ) -> Result:
        """Offer a message to the server. A session that is not usable refuses it as CONNECTION_LOST."""
        place = self._connection.place
        if not self.usable:
            kind = FailureKind.FAILURE_KIND_CONNECTION_LOST
            text = "the connection was closed between two messages"
            return Refused(place.failure(SmtpPhase.SMTP_PHASE_MAIL, kind, text))
        missing = transaction.missing_extensions(message, self._offered)
        if missing:
            kind = FailureKind.FAILURE_KIND_EXTENSION_MISSING
            text = f"the server does not offer {' and '.join(missing)}"
            return Refused(place.failure(SmtpPhase.SMTP_PHASE_MAIL, kind, text))
        self._left -= 1
        # Stays so when we are cancelled in the middle.
        self._ready = False
        result = await self._transact(message)
        self._ready = True
        return result

    async def close(self) -> None:
        """Say QUIT where the server still listens, and close."""
        await self._connection.quit()

    async def _transact(self, message: Transaction) -> Result:
        connection = self._connection
        try:
            await connection.command(
                SmtpPhase.SMTP_PHASE_MAIL, b"MAIL", *transaction.mail_arguments(message, self._offered)
            )
            await connection.command(
                SmtpPhase.SMTP_PHASE_RCPT, b"RCPT", *transaction.rcpt_arguments(message)
            )
            await connection.command(SmtpPhase.SMTP_PHASE_DATA, b"DATA", expect=3)
            response = await connection.send_content(
                transaction.wire_chunks(message.signature + message.content, _CHUNK)
            )
        except AttemptFailed as failed:
            return await self._after(failed.reply)
        place = connection.place
        return Delivered(
            reply_text=printable(f"{response.code} {response.message}"),
            mx_host=place.mx_host,
            remote_ip=place.remote_ip,
            local_ip=place.local_ip,
            tls_version=place.tls_version,
        )

    async def _after(self, reply: SmtpReply) -> Result:
        if reply.phase == SmtpPhase.SMTP_PHASE_DOT and not reply.code:
            return Unknown(reply)
        if self._left > 0 and self._connection.usable:
            try:
                await self._connection.command(SmtpPhase.SMTP_PHASE_UNSPECIFIED, b"RSET")
            except AttemptFailed:
                self._connection.abort()
        return Refused(reply)


def _opportunistic_tls() -> ssl.SSLContext:
    # Names in MX records are not authenticated themselves; verifying would only turn encrypted mail into
    # mail in the clear.
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
