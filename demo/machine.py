"""One machine with everything on it: the receiver, a signing key, the store and the four services."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from demo.receiver.receiver import Receiver
from emta.client import Client
from services.signer.keygen import make_key
from services.signer.keys import load_key
from services.stack import Stack

SENDER_DOMAIN = "shop.example"
_SELECTOR = "s1"
_MIN_BITS = 2048


@dataclass(frozen=True)
class Machine:
    """What runs, and how to reach it."""

    receiver: Receiver
    stack: Stack

    def client(self) -> Client:
        """A client of the services."""
        addresses = self.stack.addresses
        return Client(addresses["relay"], addresses["feedback"], addresses["bounce"])


@asynccontextmanager
async def machine(data: Path, environ: Mapping[str, str], log: IO[str]) -> AsyncIterator[Machine]:
    """Start everything below the folder `data`; `environ` adds settings, `log` gets the services' logs."""
    keys = data / "dkim"
    record = _signing_record(keys)
    async with Receiver(journal_file=data / "accepted.jsonl") as receiver:
        receiver.zone.add_txt(f"{_SELECTOR}._domainkey.{SENDER_DOMAIN}", record)
        return_path_key = _return_path_key(data / "return-path.key")
        settings = {
            "EMTA_SIGNER_KEYS_DIR": str(keys),
            "EMTA_RELAY_RETURN_PATH_KEY": return_path_key,
            "EMTA_BOUNCE_RETURN_PATH_KEY": return_path_key,
            "EMTA_RELAY_RESOLVERS": receiver.dns_address,
            "EMTA_RELAY_SMTP_PORT": str(receiver.smtp_port),
            "EMTA_RELAY_EHLO_NAME": f"mta.{SENDER_DOMAIN}",
            # The receiver lives on loopback, where no MX may point otherwise.
            "EMTA_RELAY_ALLOWED_NETWORKS": "127.0.0.0/8",
        }
        async with Stack(data, settings | dict(environ), log) as stack:
            yield Machine(receiver, stack)


def _signing_record(keys: Path) -> str:
    path = keys / f"{_SELECTOR}._domainkey.{SENDER_DOMAIN}.pem"
    if path.exists():
        return load_key(path, _MIN_BITS, now_ms=0).dns_record
    return make_key(SENDER_DOMAIN, _SELECTOR, keys)


def _return_path_key(path: Path) -> str:
    """Give the key of signed return paths, made once: what was sent may come back after a restart."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(32))
    return path.read_text()
