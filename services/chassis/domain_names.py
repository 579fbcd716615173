"""Domain names as the DNS and the ledger have them."""

from __future__ import annotations

from contextlib import suppress

import idna


def a_labels(name: str) -> str:
    """Give a name in lower case as A-labels (RFC 5890, mapped by UTS #46).

    Raises ValueError where it is no internationalised name; one in ASCII is not checked.
    """
    return name.lower() if name.isascii() else idna.encode(name, uts46=True).decode()


def folded(address: str) -> str:
    """Give an address as it is compared: its domain in whatever alphabet as A-labels, all in lower case.

    Receivers fold local parts in their reports, so that case tells nothing. What is no address has a form,
    too: mails tell such ones, and nothing is found by them.
    """
    local, at, domain = address.strip().rpartition("@")
    with suppress(ValueError):
        domain = a_labels(domain)
    return (local + at + domain).lower()
