"""TLS towards receiving servers: opportunistic, and sessions are resumed."""

from __future__ import annotations

import ssl
from collections import OrderedDict
from typing import Any

# A session is a few hundred octets to a few kilobytes.
_SESSIONS = 10_000


class ResumingContext(ssl.SSLContext):
    """A client context that resumes the last session with a host: a full handshake costs 300 to 600 us.

    Names in MX records are not authenticated themselves; verifying certificates would only turn encrypted
    mail into mail in the clear (RFC 7435).
    """

    _sessions: OrderedDict[str, ssl.SSLSession]

    def __new__(cls) -> ResumingContext:
        context = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        context._sessions = OrderedDict()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Called by the event loop, which knows nothing of sessions."""
        if isinstance(server_hostname, str):
            session = session or self._sessions.get(server_hostname)
        return super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)

    def remember(self, host: str, secured: Any) -> None:
        """Keep the session of an ssl.SSLObject for the next connection to `host`.

        To be called once the server has said something under TLS: with TLS 1.3 the session comes with it.
        """
        session = secured.session
        if session is not None and session.has_ticket:
            self._sessions[host] = session
            self._sessions.move_to_end(host)
            if len(self._sessions) > _SESSIONS:
                self._sessions.popitem(last=False)
