"""`python -m services.signer.keygen DOMAIN`: make a signing key and say what to publish."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from emta.problems import in_words
from services.signer.keys import is_domain, public_record


def key_path(domain: str, selector: str, folder: Path) -> Path:
    """Where the Signer looks for a key."""
    return folder / f"{selector}._domainkey.{domain}.pem"


def make_key(domain: str, selector: str, folder: Path, bits: int = 2048) -> str:
    """Write a new private key (mode 0600); gives the TXT record to publish.

    Raises FileExistsError rather than replace a key.
    """
    private = rsa.generate_private_key(65537, bits)
    pem = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    folder.mkdir(parents=True, exist_ok=True)
    path = key_path(domain, selector, folder)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
    return public_record(private)


def main() -> int:
    """Read the arguments; gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m services.signer.keygen", description=__doc__)
    parser.add_argument("domain", help="signing domain (d=), for example news.example.com")
    parser.add_argument("--selector", default="s1", help="selector (s=); default s1")
    parser.add_argument(
        "--keys-dir",
        type=Path,
        default=Path(os.environ.get("EMTA_SIGNER_KEYS_DIR") or "var/dkim"),
        help="folder of the Signer's keys; default EMTA_SIGNER_KEYS_DIR, else var/dkim (of `make run`: "
        "var/run/dkim)",
    )
    parser.add_argument("--bits", type=int, default=2048, choices=(2048, 3072, 4096), help="default 2048")
    arguments = parser.parse_args()
    domain, selector, folder = arguments.domain.lower(), arguments.selector, arguments.keys_dir
    for name in (arguments.domain, selector):
        if not is_domain(name):
            print(f"keygen: {name!a} cannot stand in the DNS; give A-labels (xn--...)", file=sys.stderr)
            return 2
    try:
        record = make_key(domain, selector, folder, arguments.bits)
    except FileExistsError as error:
        print(f"keygen: {error.filename} is there already; choose another selector", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"keygen: {in_words(error)}", file=sys.stderr)
        return 2
    print(f"The key: {key_path(domain, selector, folder)}")
    print("A Signer finds it there when this folder is its EMTA_SIGNER_KEYS_DIR.\n")
    print(f"Publish this TXT record:\n\n{selector}._domainkey.{domain}\n{record}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
