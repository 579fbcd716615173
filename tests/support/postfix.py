"""Debian's Postfix as a receiver, with Debian's opendkim to verify: neither is ours."""

from __future__ import annotations

import asyncio
import mailbox
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.debian import program
from tests.support.eventually import eventually

DOMAIN = "postfix.example"

_MAIN = """compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.{domain}
mydestination =
local_recipient_maps =
alias_maps =
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
smtpd_recipient_restrictions = permit_auth_destination, reject
smtpd_milters = unix:{folder}/milter
milter_default_action = tempfail
smtputf8_enable = no
maillog_file = {folder}/postfix.log
maillog_file_prefixes = {folder}
message_size_limit = 26214400
"""
_MASTER = """127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
_OPENDKIM = """Mode v
Socket local:{folder}/milter
UMask 000
Background no
Syslog no
Nameservers 127.0.0.1
AuthservID mx.{domain}
AlwaysAddARHeader yes
UserID {user}
DNSTimeout 5
"""


class Postfix:
    """A running Postfix: its SMTP port, and what it has delivered."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self.port = port

    def messages(self) -> list[bytes]:
        """The delivered messages, with CRLF line ends."""
        box = self._folder / "mail" / "all"
        # Postfix makes the folder's parts one after the other.
        if not all((box / part).exists() for part in ("tmp", "new", "cur")):
            return []
        found = mailbox.Maildir(box, create=False)
        return [found.get_bytes(key).replace(b"\n", b"\r\n") for key in found.keys()]  # noqa: SIM118

    async def until_delivered(self, count: int) -> list[bytes]:
        """Wait until it has delivered so many messages."""

        async def delivered() -> list[bytes] | None:
            messages = self.messages()
            return messages if len(messages) >= count else None

        return await eventually(delivered, f"{count} messages at Postfix")


@asynccontextmanager
async def postfix(folder: Path, main: str = "", master: str = "") -> AsyncIterator[Postfix]:
    """Run Postfix and opendkim below `folder`. Needs root, as Postfix does.

    main, master: what is added to main.cf and master.cf.
    """
    # Postfix's own processes run as other users: they must get through.
    for parent in (folder, *folder.parents):
        if os.access(parent, os.W_OK) and parent != Path("/") and parent.stat().st_uid == os.getuid():
            parent.chmod(parent.stat().st_mode | 0o055)
    port = _free_port()
    etc = folder / "etc"
    for name in ("etc", "queue", "data", "mail"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix", "postfix")
    shutil.chown(folder / "mail", "postfix", "postfix")
    (folder / "mail").chmod(0o755)
    status = (folder / "data").stat()
    own = _MAIN.format(folder=folder, domain=DOMAIN, uid=status.st_uid, gid=status.st_gid)
    (etc / "main.cf").write_text(own + main)
    (etc / "master.cf").write_text(_MASTER.format(port=port) + master)
    (etc / "opendkim.conf").write_text(_OPENDKIM.format(folder=folder, domain=DOMAIN, user="root"))
    verifier = await asyncio.create_subprocess_exec(
        str(program("opendkim")), "-f", "-x", str(etc / "opendkim.conf")
    )
    try:
        await _postfix(etc, "start")
        yield Postfix(folder, port)
    finally:
        await _postfix(etc, "stop")
        verifier.terminate()
        await verifier.wait()


async def _postfix(etc: Path, command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        str(program("postfix")),
        "-c",
        str(etc),
        command,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
