"""Finding a server: the first of a route that takes us, over TLS where it can."""

from __future__ import annotations

from collections.abc import Iterator

from emta.bounce.v1.smtp_reply_pb2 import FailureKind, SmtpPhase, SmtpReply
from services.chassis import logs
from services.relay.connection import Connection, Timeouts
from services.relay.mx import Route
from services.relay.networks import Networks
from services.relay.replies import AttemptFailed, Place
from services.relay.session import Session
from services.relay.tls import ResumingContext

# Addresses tried in one attempt, as Postfix does (smtp_mx_address_limit). A second host gets its turn
# even when the first one has many addresses.
_MAX_TRIES, _MAX_TRIES_OF_A_HOST = 5, 2

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
        self._tls = ResumingContext() if starttls else None
        self._messages = messages_per_connection

    async def open(self, route: Route) -> Session:
        """Connect to the first server of a route that takes us.

        Raises AttemptFailed when none does: with the last reply that a server gave, else with the last
        failure.
        """
        outcome: SmtpReply | None = None
        for place in self._places(route):
            try:
                return await self._open(place)
            except AttemptFailed as failed:
                if outcome is None or failed.reply.code or not outcome.code:
                    outcome = failed.reply
        if outcome is None:
            text = "every mail server of the domain lies in a forbidden network"
            outcome = Place("", route.hosts[0].name).failure(
                SmtpPhase.SMTP_PHASE_DNS, FailureKind.FAILURE_KIND_FORBIDDEN_NETWORK, text
            )
        raise AttemptFailed(outcome)

    def _places(self, route: Route) -> Iterator[Place]:
        of_a_host = _MAX_TRIES if len(route.hosts) == 1 else _MAX_TRIES_OF_A_HOST
        left = _MAX_TRIES
        for host in route.hosts:
            permitted = [address for address in host.addresses if self._networks.permits(address)]
            for address in permitted[: min(of_a_host, left)]:
                left -= 1
                yield Place("", host.name, address)

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

    async def _greeted(self, place: Place, tls: ResumingContext | None) -> Session:
        connection = await Connection.open(place, self._port, self._networks.permits, self._timeouts)
        try:
            offered = await connection.hello(SmtpPhase.SMTP_PHASE_EHLO, self._ehlo_name)
            if tls is not None and "starttls" in offered:
                await connection.start_tls(tls)
                # RFC 3207 section 4.2: what was said before counts no more.
                offered = await connection.hello(SmtpPhase.SMTP_PHASE_STARTTLS, self._ehlo_name)
                connection.remember_tls(tls)
            wire = connection.hand_over()
        except AttemptFailed:
            await connection.quit()
            raise
        except BaseException:
            connection.abort()
            raise
        return Session(wire, connection.place, offered, self._messages, self._timeouts)
