"""Domain names as the DNS and the ledger have them."""

from __future__ import annotations

import idna


def a_labels(name: str) -> str:
    """Give a name in lower case as A-labels (RFC 5890, mapped by UTS #46).

    Raises ValueError where it is no internationalised name; one in ASCII is not checked.
    """
    return name.lower() if name.isascii() else idna.encode(name, uts46=True).decode()
