"""The grammar of what surrounds a message: addresses, identifiers, domain names.

Nothing is rewritten silently: what does not fit is refused with the field and the rule. Only the domain
of an address takes its canonical form (lower case, A-labels); the local part stays as given.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from emta.problems import Problem, invalid
from services.chassis.domain_names import a_labels

# RFC 5321 section 4.5.3.1: local part 64, path 256 with its brackets; domain 255 (RFC 1035: 253 in text).
_MAX_LOCAL, _MAX_ADDRESS, _MAX_DOMAIN = 64, 254, 253

# RFC 6531 section 3.3: beyond ASCII, controls and the no-break space apart.
_UTF8 = r"\u00a1-\U0010ffff"
_ATOM = rf"[A-Za-z0-9!#$%&'*+/=?^_`{{|}}~{_UTF8}-]+"
_DOT_STRING = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_QUOTED_STRING = re.compile(rf'"(?:[ !#-\[\]-~{_UTF8}]|\\[ -~])*"')
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_IDENTIFIER = re.compile(r"[!-~]{1,128}")
_POOL = re.compile(r"[!-~]{1,64}")


class Mailbox(NamedTuple):
    """An address: local part as given, domain in lower case as A-labels."""

    local: str
    domain: str

    @property
    def address(self) -> str:
        """As it goes on the wire."""
        return f"{self.local}@{self.domain}"

    @property
    def needs_smtputf8(self) -> bool:
        """Whether only a receiver with SMTPUTF8 (RFC 6531) can take it."""
        return not self.local.isascii()


def parse_mailbox(text: str, field: str) -> Mailbox:
    """Parse an address (RFC 5321 section 4.1.2, RFC 6531). Raises Problem INVALID_ARGUMENT."""
    if not text:
        raise invalid(field, "ADDRESS_MISSING", f"{field} is empty")
    if _CONTROL.search(text):
        raise invalid(field, "ENVELOPE_CONTROL_CHARACTER", f"{field} holds a control character")
    local, at, domain = text.rpartition("@")
    if not at or not local or not domain:
        raise invalid(field, "ADDRESS_MALFORMED", f"{field} is not of the form local@domain")
    if not (_DOT_STRING.fullmatch(local) or _QUOTED_STRING.fullmatch(local)):
        raise invalid(
            field, "ADDRESS_MALFORMED", f"{field} has a malformed local part (RFC 5321 section 4.1.2)"
        )
    if domain.startswith("["):
        raise invalid(field, "ADDRESS_LITERAL", f"{field} has an address literal instead of a domain")
    mailbox = Mailbox(local, parse_domain(domain, field))
    if len(local.encode()) > _MAX_LOCAL:
        raise invalid(field, "ADDRESS_TOO_LONG", f"{field} has a local part over {_MAX_LOCAL} octets")
    if len(mailbox.address.encode()) > _MAX_ADDRESS:
        raise invalid(field, "ADDRESS_TOO_LONG", f"{field} is longer than {_MAX_ADDRESS} octets")
    return mailbox


@lru_cache(maxsize=10_000)  # as many as a large mailing has; most messages go to a few of them
def parse_domain(text: str, field: str) -> str:
    """Give a domain name in lower case as A-labels (RFC 5890). Raises Problem DOMAIN_INVALID."""
    try:
        domain = a_labels(text)
    except ValueError:
        raise _bad_domain(field, "is no valid internationalised name") from None
    labels = domain.split(".")
    if len(domain) > _MAX_DOMAIN or not all(map(_LABEL.fullmatch, labels)):
        raise _bad_domain(field, "is no domain name")
    if len(labels) < 2 or labels[-1].isdigit():
        raise _bad_domain(field, "is not a fully qualified domain name")
    return domain


def parse_identifier(text: str, field: str) -> str:
    """Check an identifier: 1..128 printable ASCII characters without spaces."""
    if not _IDENTIFIER.fullmatch(text):
        raise invalid(
            field,
            "IDENTIFIER_INVALID",
            f"{field} must be 1 to 128 printable ASCII characters without spaces",
        )
    return text


def parse_selector(text: str, field: str) -> str:
    """Check a DKIM selector: DNS labels (RFC 6376 section 3.1)."""
    if len(text) > _MAX_DOMAIN or not all(map(_LABEL.fullmatch, text.lower().split("."))):
        raise invalid(field, "SELECTOR_INVALID", f"{field} is no DKIM selector (RFC 6376 section 3.1)")
    return text


def parse_pool(text: str, field: str) -> str:
    """Check the name of a pool: 1..64 printable ASCII characters without spaces."""
    if not _POOL.fullmatch(text):
        raise invalid(
            field, "POOL_INVALID", f"{field} must be 1 to 64 printable ASCII characters without spaces"
        )
    return text


def _bad_domain(field: str, what: str) -> Problem:
    return invalid(field, "DOMAIN_INVALID", f"{field}: the domain {what}")
