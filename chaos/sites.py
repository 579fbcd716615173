"""The receiving sites: real SMTP on loopback, with a journal that is the suite's only witness of delivery.

They live in the process of the suite, which nobody kills. A message is journalled at its final dot, before
the answer goes out: what stands in the journal, the receiver has.

The local part of a recipient is the message's id, and its first word says how it is treated: "ok" is
accepted, "busy" is refused once with a 4xx answer and then accepted, "later" is refused until `released`,
"unknown" does not exist.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType

from demo.receiver.dns_server import DnsServer
from demo.receiver.lines import Gone, Lines
from demo.receiver.zone import Zone

_SITES = 8
_PORTS = range(20_000, 32_000)
_PORT_TRIES = 50
_EXTENSIONS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "SIZE 52428800")
_IO_BUFFER = 1024 * 1024


@dataclass
class Delivery:
    """A message that a site took. Times are monotonic, in seconds."""

    message_id: str
    site: Site
    begun: float  # MAIL
    journalled: float  # the final dot
    signed: bool
    relay: str  # the name that the Relay said in EHLO
    answered: float | None = None  # the answer to the final dot was written


@dataclass
class Site:
    """One receiving site. Its behaviour counts from the next command on.

    before_dot_seconds: wait before the answer to DATA. dot_seconds: wait between journal and answer.
    stuck: ids whose final dot is never answered. serve: takes its connections over (a hostile site).
    """

    domain: str
    address: str
    before_dot_seconds: float = 0.0
    dot_seconds: float = 0.0
    stuck: set[str] = field(default_factory=set)
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]] | None = None
    connections: int = 0


class Sites:
    """`async with Sites() as sites:` -- eight sites, their name server, one journal."""

    def __init__(self) -> None:
        self.zone = Zone(ttl=300)
        self.dns = DnsServer(self.zone)
        self.journal: list[Delivery] = []
        # What a connection had taken when it was cut, with the time of the cut.
        self.cut: list[tuple[Delivery, float]] = []
        self.begun: list[tuple[float, str]] = []  # every MAIL: its time, and the Relay's name in EHLO
        self.refusals: Counter[str] = Counter()  # by the kind of recipient
        self.released = False
        self.port = 0
        self._refused_once: set[str] = set()
        self._listeners: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._sites: list[Site] = []
        for number in range(1, _SITES + 1):
            self.add(f"site{number}.example")

    def __iter__(self) -> Iterator[Site]:
        return iter(self._sites)

    def __getitem__(self, index: int) -> Site:
        return self._sites[index]

    def add(self, domain: str) -> Site:
        """One more site; before the sites listen."""
        site = Site(domain, f"127.0.3.{len(self._sites) + 1}")
        self.zone.add_site(domain, [(10, f"mx.{domain}", [site.address])])
        self._sites.append(site)
        return site

    async def __aenter__(self) -> Sites:
        await self.dns.start()
        for tries_left in reversed(range(_PORT_TRIES)):
            self.port = random.choice(_PORTS)
            try:
                for site in self._sites:
                    await self._listen(site)
                return self
            except OSError:
                self._close()
                if not tries_left:
                    raise
        raise AssertionError

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.dns.close()

    def deliveries(self) -> dict[str, list[Delivery]]:
        """The journal by message id."""
        by_id: dict[str, list[Delivery]] = {}
        for delivery in self.journal:
            by_id.setdefault(delivery.message_id, []).append(delivery)
        return by_id

    async def _listen(self, site: Site) -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            site.connections += 1
            try:
                if site.serve is not None:
                    await site.serve(reader, writer)
                else:
                    await _Session(self, site, Lines(reader, writer)).run()
            except (asyncio.CancelledError, OSError, Gone):
                pass  # the suite ends, or the Relay has gone
            finally:
                self._tasks.discard(task)
                writer.close()

        listener = await asyncio.start_server(
            serve, site.address, self.port, backlog=1024, limit=_IO_BUFFER
        )
        self._listeners.append(listener)

    def _close(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()

    def refuses(self, message_id: str) -> str:
        """The refusal of a recipient, "" where there is none."""
        kind = message_id.partition("-")[0]
        match kind:
            case "unknown":
                refusal = "550 5.1.1 User unknown"
            case "busy" if message_id not in self._refused_once:
                self._refused_once.add(message_id)
                refusal = "451 4.3.2 Busy, come back in a moment"
            case "later" if not self.released:
                refusal = "451 4.3.2 Come back later"
            case _:
                return ""
        self.refusals[kind] += 1
        return refusal


class _Session:
    """One SMTP conversation (RFC 5321), pipelining included (RFC 2920)."""

    def __init__(self, sites: Sites, site: Site, lines: Lines) -> None:
        self._sites, self._site, self._lines = sites, site, lines
        self._begun = 0.0
        self._recipient = self._relay = ""
        self._taken: list[Delivery] = []

    async def run(self) -> None:
        self._lines.say(f"220 mx.{self._site.domain} ESMTP")
        quit_said = False
        try:
            while not quit_said:
                quit_said = await self._command(await self._lines.command())
            await self._lines.flush()
        finally:
            if not quit_said:
                now = time.monotonic()
                self._sites.cut += [(delivery, now) for delivery in self._taken]

    async def _command(self, line: str) -> bool:
        verb, lines = line[:4].upper(), self._lines
        match verb:
            case "EHLO":
                self._relay = line[5:]
                offered = (f"mx.{self._site.domain}", *_EXTENSIONS)
                for text in offered[:-1]:
                    lines.say(f"250-{text}")
                lines.say(f"250 {offered[-1]}")
            case "MAIL":
                self._begun, self._recipient = time.monotonic(), ""
                self._sites.begun.append((self._begun, self._relay))
                lines.say("250 2.1.0 Ok")
            case "RCPT":
                recipient = line.partition("<")[2].partition("@")[0]
                refusal = self._sites.refuses(recipient)
                self._recipient = "" if refusal else recipient
                lines.say(refusal or "250 2.1.5 Ok")
            case "DATA" if not self._recipient:
                lines.say("554 5.5.1 No valid recipients")
            case "DATA":
                await self._data()
            case "QUIT":
                lines.say("221 2.0.0 Bye")
            case _:
                lines.say("250 2.0.0 Ok" if verb in ("RSET", "NOOP", "HELO") else "502 5.5.1 What?")
        return verb == "QUIT"

    async def _data(self) -> None:
        site, lines = self._site, self._lines
        await asyncio.sleep(site.before_dot_seconds)
        lines.say("354 Go ahead")
        content = await lines.content()
        signed = content[:16].lower().startswith(b"dkim-signature:")
        now = time.monotonic()
        delivery = Delivery(self._recipient, site, self._begun, now, signed, self._relay)
        self._taken.append(delivery)
        self._sites.journal.append(delivery)
        self._recipient = ""
        await asyncio.sleep(site.dot_seconds)
        if delivery.message_id in site.stuck:
            await lines.until_gone()
            raise Gone
        lines.say("250 2.0.0 Ok")
        await lines.flush()
        delivery.answered = time.monotonic()
