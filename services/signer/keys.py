"""The private keys: loaded once, looked up by domain and selector, never shown."""

from __future__ import annotations

import base64
import re
import stat
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from emta.problems import in_words
from services.chassis.logs import Log

_log = Log("signer")
_MARK = "._domainkey."
# Group-readable is how Kubernetes mounts a Secret for a user that is not root.
_FORBIDDEN_MODE = stat.S_IWGRP | stat.S_IROTH | stat.S_IWOTH | stat.S_IXOTH


# RFC 1035 section 2.3.1, and the underscore that selectors and domains of mail are seen with.
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_LABELS = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_LONGEST_DOMAIN = 253


def is_domain(name: str) -> bool:
    """Whether a name can stand in the DNS; a selector as well (RFC 6376 section 3.1)."""
    return len(name) <= _LONGEST_DOMAIN and _LABELS.fullmatch(name) is not None


class KeyFileError(Exception):
    """A key file that cannot be used; the text says why and holds nothing of the key."""


@dataclass(frozen=True)
class Key:
    """A private key with its names. Neither str nor repr shows the key."""

    domain: str
    selector: str
    bits: int
    dns_record: str
    load_ms: int
    private: RSAPrivateKey = field(repr=False)


def load_key(path: Path, min_bits: int, now_ms: int) -> Key:
    """Load one key file. Raises KeyFileError."""
    selector, _, domain = path.name.removesuffix(".pem").partition(_MARK)
    if not selector or not domain:
        raise KeyFileError(f"{path.name}: not named <selector>._domainkey.<domain>.pem")
    mode = path.stat().st_mode
    if mode & _FORBIDDEN_MODE:
        raise KeyFileError(f"{path.name}: mode {stat.S_IMODE(mode):04o} lets others read it; chmod 0600")
    try:
        private = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyFileError(f"{path.name}: not an unencrypted PEM private key") from None
    if not isinstance(private, RSAPrivateKey):
        raise KeyFileError(f"{path.name}: not an RSA key; this version signs rsa-sha256")
    if private.key_size < min_bits:
        raise KeyFileError(f"{path.name}: {private.key_size} bits, at least {min_bits} are asked for")
    return Key(domain.lower(), selector, private.key_size, public_record(private), now_ms, private)


def public_record(private: RSAPrivateKey) -> str:
    """Text of the TXT record to publish (RFC 6376 section 3.6.1)."""
    public = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return f"v=DKIM1; k=rsa; p={base64.b64encode(public).decode()}"


class KeyStore:
    """The keys of a folder. A file that cannot be used is told about and hinders no other key.

    With several selectors for a domain, the file <domain>.current names the one to use; without it, it
    is the first in alphabetical order, so that a new key is there before it is used.
    """

    def __init__(self, folder: Path, min_bits: int) -> None:
        self._folder = folder
        self._min_bits = min_bits
        # By domain and selector; the empty selector is the domain's current key. Replaced as a whole:
        # it is read by other threads while `refresh` works.
        self._keys: dict[tuple[str, str], Key] = {}
        self._seen: dict[Path, tuple[int, int]] = {}
        self._by_path: dict[Path, Key] = {}

    def refresh(self, now_ms: int) -> None:
        """Look at the folder: load what is new or changed, forget what is gone."""
        seen: dict[Path, tuple[int, int]] = {}
        by_path: dict[Path, Key] = {}
        for path in sorted(self._folder.glob("*.pem")) if self._folder.is_dir() else ():
            try:
                status = path.stat()
                seen[path] = (status.st_mtime_ns, status.st_mode)
                if self._seen.get(path) != seen[path]:
                    by_path[path] = load_key(path, self._min_bits, now_ms)
                    _log.info("key_loaded", file=path.name, bits=by_path[path].bits)
                elif path in self._by_path:
                    by_path[path] = self._by_path[path]
            except (KeyFileError, OSError) as error:
                _log.error("key_refused", file=path.name, error=in_words(error))
        self._seen, self._by_path = seen, by_path
        keys = {(key.domain, key.selector): key for key in by_path.values()}
        self._keys = keys | self._current(keys)

    def _current(self, keys: dict[tuple[str, str], Key]) -> dict[tuple[str, str], Key]:
        chosen: dict[tuple[str, str], Key] = {}
        for (domain, _), key in sorted(keys.items(), key=lambda item: item[0]):
            chosen.setdefault((domain, ""), key)
        for domain, _ in list(chosen):
            named = self._folder / f"{domain}.current"
            if named.is_file():
                selector = named.read_text(errors="replace").strip()
                if (domain, selector) in keys:
                    chosen[domain, ""] = keys[domain, selector]
                else:
                    _log.error("current_key_missing", domain=domain, selector=selector)
        return chosen

    def find(self, domain: str, selector: str) -> Key | None:
        """Give the key of a domain; an empty selector means its current one."""
        return self._keys.get((domain, selector))

    def is_current(self, key: Key) -> bool:
        """Whether an empty selector means this key."""
        return self._keys.get((key.domain, "")) is key

    def list(self, domain: str = "") -> list[Key]:
        """All keys, or those of a domain, by domain and selector."""
        names = sorted(name for name in self._keys if name[1] and (not domain or name[0] == domain))
        return [self._keys[name] for name in names]
