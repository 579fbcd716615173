"""URLs of stores. What is wrong with one is never quoted: it may be a piece of the password."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

_SCHEMES = {"redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss"}
_FORMS = (
    "not of the form redis://[user:password@]host:port/database, rediss://... (TLS), unix:///path or, for "
    "a Cluster, redis+cluster://[user:password@]host:port,host:port,...; special characters of a password "
    "are percent-encoded; options after ? are db and ssl_*"
)


@dataclass(frozen=True, repr=False)
class StoreUrl:
    """Where a store is: a URL as redis-py has them, of a Cluster that of one node, and the other nodes."""

    url: str
    is_cluster: bool = False
    others: tuple[tuple[str, int], ...] = ()

    @classmethod
    def parse(cls, text: str) -> StoreUrl:
        """Read a URL. Raises ValueError, whose text says nothing of it."""
        try:
            parsed = cls._parse(text)
        except ValueError:
            parsed = None
        if parsed is None:
            raise ValueError(_FORMS)
        return parsed

    @classmethod
    def _parse(cls, text: str) -> StoreUrl | None:
        parts = urlsplit(text)
        if parts.fragment or not all(
            option == "db" or option.startswith("ssl_")
            for option in parse_qs(parts.query, keep_blank_values=True)
        ):
            return None
        database = parts.path.strip("/")
        if parts.scheme == "unix":
            return cls(text) if database and not parts.hostname else None
        scheme, plus, kind = parts.scheme.partition("+")
        if scheme not in _SCHEMES or kind != ("cluster" if plus else ""):
            return None
        # A Cluster has one database.
        if database and not (database == "0" if plus else database.isdigit()):
            return None
        first, *others = parts.netloc.split(",") if plus else [parts.netloc]
        nodes = [urlsplit(f"//{node}") for node in (first, *others)]
        if not all(node.hostname and "," not in node.hostname and node.port != 0 for node in nodes):
            return None
        if any("@" in node for node in others):
            return None
        return cls(
            parts._replace(scheme=_SCHEMES[scheme], netloc=first).geturl(),
            bool(plus),
            tuple((node.hostname or "", node.port or 6379) for node in nodes[1:]),
        )
