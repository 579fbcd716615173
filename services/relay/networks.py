"""Where mail may go: which addresses an MX record may not point into.

Whoever owns a domain chooses the address that we connect to. Without this rule a recipient's domain
could make us talk to machines that only we can reach.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# The special-purpose registries of IANA (RFC 6890) without what is globally reachable, and multicast.
# Written out because ipaddress's own is_global differs between patch releases of Python.
_FORBIDDEN_V4 = (
    "0.0.0.0/8",  # this network (RFC 791)
    "10.0.0.0/8",  # private (RFC 1918)
    "100.64.0.0/10",  # carrier-grade NAT (RFC 6598)
    "127.0.0.0/8",  # loopback (RFC 1122)
    "169.254.0.0/16",  # link-local (RFC 3927); clouds keep their metadata here
    "172.16.0.0/12",  # private (RFC 1918)
    "192.0.0.0/24",  # protocol assignments (RFC 6890)
    "192.0.2.0/24",  # documentation (RFC 5737)
    "192.88.99.0/24",  # 6to4 relays, withdrawn (RFC 7526)
    "192.168.0.0/16",  # private (RFC 1918)
    "198.18.0.0/15",  # benchmarks (RFC 2544)
    "198.51.100.0/24",  # documentation (RFC 5737)
    "203.0.113.0/24",  # documentation (RFC 5737)
    "224.0.0.0/4",  # multicast (RFC 5771)
    "240.0.0.0/4",  # reserved, and the broadcast address (RFC 1112)
)
# Global unicast is 2000::/3 (RFC 4291 section 2.4); everything outside it is special or not assigned.
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_FORBIDDEN_V6 = (
    "2001::/23",  # protocol assignments (RFC 2928), ORCHID and Teredo among them
    "2001:db8::/32",  # documentation (RFC 3849)
    "3fff::/20",  # documentation (RFC 9637)
)
# Forms of an IPv6 address that lead to the IPv4 address in their last 32 bits.
_IPV4_IN_LAST_BITS = tuple(
    map(
        ipaddress.IPv6Network,
        (
            "::ffff:0:0/96",  # IPv4-mapped (RFC 4291 section 2.5.5.2)
            "::/96",  # IPv4-compatible (RFC 4291 section 2.5.5.1)
            "::ffff:0:0:0/96",  # IPv4-translated (RFC 7915)
            "64:ff9b::/96",  # NAT64 (RFC 6052)
        ),
    )
)


class Networks:
    """Tells which addresses may be connected to.

    Forbidden unless allowed: everything that is not globally reachable unicast. An IPv6 address that
    carries an IPv4 address (mapped, translated, NAT64, 6to4, Teredo) is judged by what it leads to.
    """

    def __init__(self, allowed: Sequence[str]) -> None:
        """`allowed`: networks to open, "127.0.0.0/8" or "::1". Raises ValueError for what is none."""
        self._allowed = tuple(map(ipaddress.ip_network, allowed))

    def permits(self, address: str) -> bool:
        """Tell whether to connect to an address; what is no IP address is not permitted."""
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.scope_id:
            parsed = ipaddress.IPv6Address(int(parsed))
        return all(_inside(end, self._allowed) or _is_global(end) for end in _ends(parsed))


def _ends(address: _Address) -> Iterator[_Address]:
    """Whom packets reach in the end, in place of a form that merely carries an IPv4 address."""
    if isinstance(address, ipaddress.IPv4Address) or int(address) <= 1:  # :: and ::1 carry none
        yield address
    elif _inside(address, _IPV4_IN_LAST_BITS):
        yield ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
    elif address.sixtofour is not None:
        yield address.sixtofour
    elif address.teredo is not None:
        yield from address.teredo  # its server, and the host behind it
    else:
        yield address


def _is_global(address: _Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return not _inside(address, _V4)
    return address in _GLOBAL_V6 and not _inside(address, _V6)


def _inside(address: _Address, networks: Iterable[_Network]) -> bool:
    # `in` is False, not an error, between the two versions.
    return any(address in network for network in networks)


_V4 = tuple(map(ipaddress.IPv4Network, _FORBIDDEN_V4))
_V6 = tuple(map(ipaddress.IPv6Network, _FORBIDDEN_V6))
