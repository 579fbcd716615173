"""One SMTP conversation, from the server's side (RFC 5321)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable

from demo.receiver.behaviours import Behaviour, Memory, Stage
from demo.receiver.commands import (
    MAIL,
    NEEDS_SMTPUTF8,
    RCPT,
    TOO_BIG,
    params_of,
    refusal_of,
    without_enhanced_codes,
)
from demo.receiver.conformity import faults
from demo.receiver.journal import Envelope, Journal
from demo.receiver.lines import Gone, Lines
from demo.receiver.traits import Starttls
from demo.receiver.zone import Host

_BAD_SEQUENCE = "503 5.5.1 Bad sequence of commands"


class Session:
    """Talks on `lines` as the server `host` does. A session may take any number of messages."""

    def __init__(
        self, host: Host, lines: Lines, client: str, journal: Journal, memory: Memory, tls: ssl.SSLContext
    ) -> None:
        self._host = host
        self._traits = host.traits
        self._lines = lines
        self._client = client
        self._journal = journal
        self._memory = memory
        self._tls = tls
        self._number = 0
        self._transactions = 0
        self._greeted = False
        self._in_mail = False
        self._rcpts: list[str] = []
        self._reset()
        self._verbs: dict[str, Callable[[str], Awaitable[None]]] = {
            "EHLO": self._ehlo,
            "HELO": self._helo,
            "STARTTLS": self._starttls,
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "RSET": self._rset,
            "NOOP": self._noop,
            "QUIT": self._quit,
        }

    async def run(self) -> None:
        """Talk until one side leaves."""
        self._number = self._journal.connected(self._host.site)
        self._reset()
        try:
            if self._traits.silent:
                await self._lines.until_gone()
            elif self._traits.banner is not None:
                await self._turn_away(self._traits.banner)
            else:
                self._say(
                    f"220 {self._host.name} {'SMTP' if self._traits.helo_only else 'ESMTP'} emta demo"
                )
                while True:
                    await self._obey(await self._lines.command())
        except Gone:
            pass
        finally:
            self._journal.disconnected(self._host.site)

    async def _turn_away(self, banner: str) -> None:
        self._say(banner)
        if banner.startswith("421"):
            return await self._lines.flush()
        # After a 554 the server waits for QUIT (RFC 5321 section 3.1).
        while (await self._lines.command()).upper() != "QUIT":
            self._say(_BAD_SEQUENCE)
        return await self._quit("")

    async def _obey(self, line: str) -> None:
        verb, _, rest = line.partition(" ")
        verb = verb.upper()
        if not line.isascii() and "SMTPUTF8" not in self._envelope.mail_params and verb != "MAIL":
            self._violate(f"a command that is not ASCII without SMTPUTF8: {line!a} (RFC 6531)")
        if self._lines.waiting and not self._traits.pipelining:
            self._violate("commands in a row without PIPELINING (RFC 2920)")
            self._say("503 5.5.0 Improper use of SMTP command pipelining")
            await self._hang_up()
        command = self._verbs.get(verb)
        if command is None or (self._traits.helo_only and verb in ("EHLO", "STARTTLS")):
            return self._say("502 5.5.2 Command not recognized")
        return await command(rest)

    # -- commands

    async def _ehlo(self, name: str) -> None:
        self._reset()
        self._greeted = True
        lines = [self._host.name, *self._traits.extensions(tls=bool(self._lines.tls))]
        for line in lines[:-1]:
            self._lines.say(f"250-{line}")
        self._lines.say(f"250 {lines[-1]}")

    async def _helo(self, name: str) -> None:
        self._reset()
        self._greeted = True
        self._lines.say(f"250 {self._host.name}")

    async def _starttls(self, rest: str) -> None:
        if self._traits.starttls is Starttls.ABSENT or self._lines.tls:
            return self._say("502 5.5.1 STARTTLS is not available")
        self._say("220 2.0.0 Ready to start TLS")
        if self._traits.starttls is Starttls.BROKEN:
            await self._lines.break_tls()
            raise Gone
        await self._lines.start_tls(self._tls)
        self._greeted = False
        return self._reset()

    async def _mail(self, rest: str) -> None:
        match = MAIL.fullmatch(rest)
        limit = self._traits.messages_per_connection
        if match is None:
            return self._say("501 5.5.4 Syntax: MAIL FROM:<address>")
        if not self._greeted or self._in_mail:
            self._violate(f"MAIL {'inside a transaction' if self._in_mail else 'before EHLO'}")
            return self._say(_BAD_SEQUENCE)
        if limit is not None and self._transactions >= limit:
            self._say("421 4.7.0 Too many messages in this connection")
            await self._hang_up()
        mail_from, params = match[1], params_of(match[2])
        refusal = refusal_of(mail_from, params, self._traits)
        if refusal is not None:
            if refusal.startswith("555"):
                self._violate(f"MAIL with an option that was not offered: {rest!a}")
            return self._say(refusal)
        self._transactions += 1
        self._reset(mail_from, params)
        self._in_mail = True
        return self._say("250 2.1.0 Ok")

    async def _rcpt(self, rest: str) -> None:
        match = RCPT.fullmatch(rest)
        if match is None:
            return self._say("501 5.5.4 Syntax: RCPT TO:<address>")
        if not self._in_mail:
            # With PIPELINING this is what follows a refused MAIL, and no fault.
            return self._say(_BAD_SEQUENCE)
        rcpt = match[1]
        if not rcpt.isascii() and "SMTPUTF8" not in self._envelope.mail_params:
            self._journal.refuse(rcpt, self._envelope, Stage.RCPT.value, NEEDS_SMTPUTF8)
            return self._say(NEEDS_SMTPUTF8)
        due = self._memory.due(rcpt, Stage.RCPT, self._traits.greylist_seconds)
        if due is not None:
            return await self._misbehave(Stage.RCPT, *due, [rcpt], b"")
        self._rcpts.append(rcpt)
        return self._say("250 2.1.5 Ok")

    async def _data(self, rest: str) -> None:
        if not self._rcpts:
            return self._say("554 5.5.1 No valid recipients" if self._in_mail else _BAD_SEQUENCE)
        if self._lines.waiting:
            self._violate("content before the answer to DATA (RFC 2920 section 3.1)")
        due = self._due(Stage.DATA)
        if due is not None:
            return await self._misbehave(Stage.DATA, *due, self._rcpts, b"")
        self._say("354 End data with <CR><LF>.<CR><LF>")
        content = await self._lines.content()
        for fault in faults(self._envelope.mail_params, content):
            self._violate(fault)
        await self._finish(content)
        return self._reset()

    async def _finish(self, content: bytes) -> None:
        size = self._traits.size
        if size is not None and len(content) > size:
            for rcpt in self._rcpts:
                self._journal.refuse(rcpt, self._envelope, Stage.DOT.value, TOO_BIG)
            return self._say(TOO_BIG)
        due = self._due(Stage.DOT)
        if due is not None:
            return await self._misbehave(Stage.DOT, *due, self._rcpts, content)
        for rcpt in self._rcpts:
            self._journal.accept(rcpt, self._envelope, content)
        return self._say(f"250 2.0.0 Ok: queued as {self._number}-{self._transactions}")

    async def _rset(self, rest: str) -> None:
        self._reset()
        self._say("250 2.0.0 Ok")

    async def _noop(self, rest: str) -> None:
        self._say("250 2.0.0 Ok")

    async def _quit(self, rest: str) -> None:
        self._say("221 2.0.0 Bye")
        await self._hang_up()

    def _due(self, stage: Stage) -> tuple[Behaviour, str] | None:
        dues = (self._memory.due(rcpt, stage, self._traits.greylist_seconds) for rcpt in self._rcpts)
        return next((due for due in dues if due is not None), None)

    async def _misbehave(
        self, stage: Stage, behaviour: Behaviour, reply: str, rcpts: list[str], content: bytes
    ) -> None:
        for rcpt in rcpts:
            if behaviour.takes:
                self._journal.accept(rcpt, self._envelope, content, answered=bool(reply))
            else:
                self._journal.refuse(rcpt, self._envelope, stage.value, reply)
        if behaviour.waits:
            await asyncio.sleep(self._traits.slow_seconds)
        if reply:
            self._say(reply)
        if behaviour.hangs:
            await self._lines.until_gone()
            raise Gone
        if behaviour.closes:
            await self._hang_up()

    def _violate(self, what: str) -> None:
        self._journal.violate(self._envelope, what)

    def _reset(self, mail_from: str = "", params: dict[str, str] | None = None) -> None:
        self._in_mail = False
        self._rcpts = []
        self._envelope = Envelope(
            site=self._host.site,
            host=self._host.name,
            client=self._client,
            session=self._number,
            number_in_session=self._transactions,
            tls=self._lines.tls,
            mail_from=mail_from,
            mail_params=params or {},
        )

    def _say(self, reply: str) -> None:
        self._lines.say(reply if self._traits.enhanced_codes else without_enhanced_codes(reply))

    async def _hang_up(self) -> None:
        await self._lines.flush()
        raise Gone
