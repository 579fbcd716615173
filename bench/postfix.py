"""Debian's Postfix with opendkim, for the same jobs: `python -m bench.postfix JOB`, JOB as JSON; as root.

Runs in namespaces of its own (see `in_namespaces`): ports 25 and 53 are free there, /etc/resolv.conf names
the benchmark's name server, the machine's own Postfix is left alone, and nothing outlives the run. The
configuration is Debian's, but for what is below.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import meter
from bench.child import BenchError, Child
from bench.job import Job
from bench.measure import Result, measure
from bench.messages import SENDER_DOMAIN
from services.chassis.children import tethered
from services.signer.keygen import make_key

_PACKAGES = {"postfix": "postfix", "opendkim": "opendkim", "unshare": "util-linux"}
_PORT = 2525
_START_SECONDS = 30.0
# Idle: less CPU than so much of a core, over so long.
_IDLE_CORES, _IDLE_SECONDS = 0.02, 1.0

_MAIN = """compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file_prefixes = /var
maillog_file = {folder}/mail.log
myhostname = relay.{domain}
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
local_transport = error:no local mail
alias_maps =
alias_database =
smtp_tls_security_level = may
smtpd_milters = unix:{folder}/queue/opendkim.sock
milter_default_action = tempfail
"""
_OPENDKIM = """Socket local:{folder}/queue/opendkim.sock
UMask 000
Mode s
Canonicalization relaxed/relaxed
SignatureAlgorithm rsa-sha256
Domain {domain}
Selector s1
KeyFile {key}
RequireSafeKeys no
InternalHosts 127.0.0.1
Syslog no
UserID root
Background no
"""


def unavailable() -> str:
    """Why Postfix cannot be measured here; empty: it can."""
    missing = [package for program, package in _PACKAGES.items() if _program(program) is None]
    if missing:
        return f"missing packages: apt-get install {' '.join(missing)}"
    if os.geteuid() != 0:
        return "needs root, for namespaces and for Postfix"
    if subprocess.run([*_NAMESPACES, "true"], capture_output=True, check=False).returncode != 0:
        return "this machine allows no namespaces (unshare)"
    return ""


# A pid namespace: whatever Postfix has started ends with it.
_NAMESPACES = ("unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc")


async def in_namespaces(job: Job) -> Result:
    """Do a job by Postfix and opendkim. Raises BenchError."""
    command = (*_NAMESPACES, sys.executable, "-m", "bench.postfix", json.dumps(asdict(job)))
    process = await asyncio.create_subprocess_exec(
        *tethered(_program("unshare") or "", *command[1:]),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        said, words = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode != 0:
        last = words.decode(errors="replace").strip().rpartition("\n")[2]
        raise BenchError(f"postfix: {last or f'ended with {process.returncode}'}")
    return Result(**json.loads(said))


def version() -> str:
    """Postfix's version, such as "3.7.11"."""
    asked = subprocess.run(["postconf", "-h", "mail_version"], capture_output=True, text=True, check=False)
    return asked.stdout.strip()


@dataclass(frozen=True)
class Postfix:
    """A running Postfix and opendkim (bench.measure.Mta)."""

    pids: dict[str, int]
    key_record: str

    def hand_over(self) -> list[str]:
        """Options of bench.source."""
        return ["--smtp", f"127.0.0.1:{_PORT}"]

    def processes(self) -> dict[str, int]:
        """Postfix's master, and opendkim."""
        return self.pids

    async def expects(self, run: str, messages: int) -> None:
        """Nothing to get ready."""

    async def settled(self, run: str, accepted: int) -> None:
        """Wait until it has nothing more to do."""
        used = self._used()
        while True:
            await asyncio.sleep(_IDLE_SECONDS)
            before, used = used, self._used()
            if used - before < _IDLE_CORES * _IDLE_SECONDS:
                return

    def _used(self) -> float:
        return sum(meter.cpu_seconds(pid) for pid in self.pids.values())


@asynccontextmanager
async def _postfix(folder: Path, job: Job) -> AsyncIterator[Postfix]:
    record = make_key(SENDER_DOMAIN, "s1", folder / "dkim")
    _configure(folder, job, next((folder / "dkim").iterdir()))
    commands = {
        "opendkim": ("opendkim", "-f", "-x", str(folder / "opendkim.conf")),
        "postfix": ("postfix", "-c", str(folder / "etc"), "start-fg"),
    }
    processes = {}
    with (folder / "start.log").open("w") as log:
        for name, (program, *options) in commands.items():
            found = _program(program)
            assert found is not None
            processes[name] = await asyncio.create_subprocess_exec(found, *options, stdout=log, stderr=log)
    await _serving(folder)
    yield Postfix({name: process.pid for name, process in processes.items()}, record)


def _configure(folder: Path, job: Job, key: Path) -> None:
    etc = folder / "etc"
    for name in ("etc", "queue", "data"):
        (folder / name).mkdir()
    shutil.chown(folder / "data", "postfix")
    for name in ("postfix-files", "dynamicmaps.cf"):
        shutil.copy(Path("/etc/postfix") / name, etc)
        if (parts := Path(f"/etc/postfix/{name}.d")).is_dir():
            shutil.copytree(parts, etc / parts.name)
    values = {"folder": folder, "domain": SENDER_DOMAIN, "key": key}
    reuse = f"smtp_connection_reuse_count_limit = {job.messages_per_connection or 0}\n"
    (etc / "main.cf").write_text(_MAIN.format(**values) + reuse)
    (etc / "master.cf").write_text(_master(Path("/usr/share/postfix/master.cf.dist").read_text()))
    (folder / "opendkim.conf").write_text(_OPENDKIM.format(**values))


def _master(shipped: str) -> str:
    """Debian's own, on our port and without chroot."""
    master = re.sub(r"^smtp +inet .*", f"127.0.0.1:{_PORT} inet n - n - - smtpd", shipped, flags=re.M)
    master = re.sub(r"^(\w\S*(?:\s+\S+){3}\s+)y(\s)", r"\1n\2", master, flags=re.M)
    log = "" if re.search(r"^postlog\b", master, re.M) else "postlog unix-dgram n - n - 1 postlogd\n"
    return f"{master}\n{log}"


async def _serving(folder: Path) -> None:
    try:
        async with asyncio.timeout(_START_SECONDS):
            while True:
                try:
                    reader, writer = await asyncio.open_connection("127.0.0.1", _PORT)
                    greeting = await reader.readline()
                    writer.write(b"QUIT\r\n")
                    writer.close()
                except OSError:
                    greeting = b""
                if greeting.startswith(b"220") and (folder / "queue/opendkim.sock").exists():
                    return
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise BenchError(f"does not start: {(folder / 'start.log').read_text().strip()[-300:]}") from None


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        set_flags, up_and_running = 0x8914, 0x1 | 0x40  # SIOCSIFFLAGS, IFF_UP | IFF_RUNNING
        fcntl.ioctl(sock, set_flags, struct.pack("16sh", b"lo", up_and_running))


def _ask_our_name_server(folder: Path) -> None:
    folder.chmod(0o755)
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\n")
    subprocess.run(["mount", "--bind", folder / "resolv.conf", "/etc/resolv.conf"], check=True)


async def _main(job: Job) -> Result:
    _loopback_up()
    folder = Path(tempfile.mkdtemp(prefix="emta-bench-", dir="/var/tmp"))
    try:
        _ask_our_name_server(folder)
        ports = ("--port", "25", "--dns-port", "53")
        async with Child("bench.receiver", *job.receiver_options(), *ports) as receiver:
            await receiver.hear()
            async with _postfix(folder, job) as postfix:
                return await measure(postfix, job, receiver, "p")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Do the job, and print its result as JSON."""
    if os.getpid() != 1:
        print("postfix: runs within namespaces: python -m bench run --peers", file=sys.stderr)
        return 2
    try:
        result = asyncio.run(_main(Job(**json.loads(sys.argv[1]))))
    except BenchError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(result.as_dict()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
