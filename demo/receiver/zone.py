"""The names of the receiving Internet: what the name server answers, and which servers stand where."""

from __future__ import annotations

import dataclasses
import enum
import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdataset
import dns.rdatatype
import dns.rrset

from demo.receiver.traits import Traits

# How long a "no such name" may be kept, seconds: the last field of the SOA record (RFC 2308 section 4).
_NEGATIVE_TTL = 60
_SOA = f"ns.invalid. hostmaster.invalid. 1 3600 600 86400 {_NEGATIVE_TTL}"
# A chain of CNAME records ends here, as it does in resolvers.
_MOST_ALIASES = 16
_FIRST_ADDRESS = ipaddress.IPv4Address("127.0.0.2")


class Fate(enum.Enum):
    """How the name server fails for a name and all below it."""

    SERVFAIL = "answers SERVFAIL"
    SILENT = "never answers"


@dataclass(frozen=True)
class Host:
    """A mail server at one address. name: in A-labels; site: the domain it was made for, as given."""

    name: str
    address: str
    site: str
    traits: Traits


class Zone:
    """Authoritative for every name there is; names it does not have do not exist (NXDOMAIN).

    Domains may be given with non-ASCII letters; they are kept as A-labels (RFC 5890). Records can be
    added and changed while the name server runs. ttl: seconds, for records that do not say another.
    """

    def __init__(self, ttl: int = 300) -> None:
        self.ttl = ttl
        self.summaries: dict[str, str] = {}
        self.hosts: dict[str, Host] = {}
        self._records: dict[dns.name.Name, dict[dns.rdatatype.RdataType, dns.rdataset.Rdataset]] = {}
        self._fates: dict[dns.name.Name, Fate] = {}
        self._only_address: str | None = None

    # -- domains that receive mail

    def add_site(
        self,
        domain: str,
        mx: Sequence[tuple[int, str, Sequence[str]]] | None = None,
        *,
        traits: Traits | None = None,
        ttl: int | None = None,
        summary: str = "",
    ) -> None:
        """A domain with MX records (preference, host, addresses); hosts without addresses get a new one.

        mx None: one record, "mx." before the domain. traits: of the hosts that are new with this call.
        """
        self.summaries[domain] = summary
        for preference, name, addresses in mx or [(10, f"mx.{domain}", ())]:
            self.add(domain, "MX", f"{preference} {_name(name)}", ttl)
            known = any(host.name == _ascii(name) for host in self.hosts.values())
            if not known or addresses:
                self._add_host(domain, name, addresses, traits, ttl)

    def add_implicit(
        self, domain: str, *, traits: Traits | None = None, ttl: int | None = None, summary: str = ""
    ) -> None:
        """A domain without MX records, which is its own mail server (RFC 5321 section 5.1)."""
        self.summaries[domain] = summary
        self._add_host(domain, domain, (), traits, ttl)

    def add_null_mx(self, domain: str, *, summary: str = "") -> None:
        """A domain that takes no mail and says so (RFC 7505)."""
        self.summaries[domain] = summary
        self.add(domain, "MX", "0 .")

    def add_failing(self, domain: str, fate: Fate, *, summary: str = "") -> None:
        """A domain for which the name server fails; `mend` ends it."""
        self.summaries[domain] = summary
        self._fates[_name(domain)] = fate

    def mend(self, domain: str) -> None:
        """Answer for `domain` again."""
        self._fates.pop(_name(domain), None)

    def change_site(self, domain: str, traits: Traits) -> None:
        """Make all servers of `domain` so. Holds for new connections."""
        for host in list(self.hosts.values()):
            if host.site == domain:
                self.hosts[host.address] = dataclasses.replace(host, traits=traits)

    # -- records

    def add(self, name: str, rdtype: str, text: str, ttl: int | None = None) -> None:
        """One record in the master file's form (RFC 1035 section 5.1), such as "MX", "10 mx.a.example."."""
        rdata = dns.rdata.from_text(
            dns.rdataclass.IN,
            dns.rdatatype.from_text(rdtype),
            text,
            origin=dns.name.root,
            relativize=False,
            idna_codec=dns.name.IDNA_2008,
        )
        of_name = self._records.setdefault(_name(name), {})
        empty = dns.rdataset.Rdataset(dns.rdataclass.IN, rdata.rdtype, ttl=self.ttl if ttl is None else ttl)
        of_name.setdefault(rdata.rdtype, empty).add(rdata)

    def add_txt(self, name: str, text: str, ttl: int | None = None) -> None:
        """A TXT record of ASCII text of any length, in strings of at most 255 octets."""
        pieces = [text[at : at + 255] for at in range(0, len(text), 255)] or [""]
        quoted = " ".join('"' + piece.replace("\\", r"\\").replace('"', r"\"") + '"' for piece in pieces)
        self.add(name, "TXT", quoted, ttl)

    def add_cname(self, name: str, target: str, ttl: int | None = None) -> None:
        self.add(name, "CNAME", _name(target).to_text(), ttl)

    def txt(self, name: str) -> str:
        """The text of a name's TXT record, "" where there is none."""
        records = self._records.get(_name(name), {}).get(dns.rdatatype.TXT, ())
        return "".join(string.decode() for record in records for string in record.strings)

    def remove(self, name: str) -> None:
        """Forget all records of `name`."""
        self._records.pop(_name(name), None)

    # -- servers

    def use_only(self, address: str) -> None:
        """Put all servers at one address, for machines that have only 127.0.0.1. Their traits are lost."""
        self._only_address = address
        self.hosts = {address: Host("localhost", address, "localhost", Traits())}

    def _add_host(
        self, site: str, name: str, addresses: Sequence[str], traits: Traits | None, ttl: int | None
    ) -> None:
        for address in addresses or [self._new_address()]:
            rdtype = "AAAA" if ":" in address else "A"
            self.add(name, rdtype, address, ttl)
            if ipaddress.ip_address(address).is_loopback and self._only_address is None:
                self.hosts.setdefault(address, Host(_ascii(name), address, site, traits or Traits()))

    def _new_address(self) -> str:
        address = _FIRST_ADDRESS
        while str(address) in self.hosts:
            address += 1
        return str(address)

    # -- answers

    def answer(self, query: dns.message.Message) -> dns.message.Message | None:
        """The answer to a query; None: there is none, and there will not be."""
        response = dns.message.make_response(query)
        response.flags |= dns.flags.AA
        if query.opcode() != dns.opcode.QUERY or len(query.question) != 1:
            response.set_rcode(dns.rcode.NOTIMP)
            return response
        question = query.question[0]
        match self._fate(question.name):
            case Fate.SILENT:
                return None
            case Fate.SERVFAIL:
                response.set_rcode(dns.rcode.SERVFAIL)
                return response
        response.answer.extend(self._follow(question.name, question.rdtype))
        last = question.name
        for rrset in response.answer:
            if rrset.rdtype == dns.rdatatype.CNAME and question.rdtype != dns.rdatatype.CNAME:
                last = rrset[0].target
        if not response.answer or response.answer[-1].rdtype != question.rdtype:
            if not self._exists(last):
                response.set_rcode(dns.rcode.NXDOMAIN)
            response.authority.append(dns.rrset.from_text(dns.name.root, _NEGATIVE_TTL, "IN", "SOA", _SOA))
        return response

    def _follow(self, name: dns.name.Name, rdtype: dns.rdatatype.RdataType) -> Iterator[dns.rrset.RRset]:
        for _ in range(_MOST_ALIASES):
            of_name = self._records.get(name, {})
            found = of_name.get(rdtype)
            if found is not None:
                yield dns.rrset.from_rdata_list(name, found.ttl, self._moved(found))
                return
            alias = of_name.get(dns.rdatatype.CNAME)
            if alias is None:
                return
            yield dns.rrset.from_rdata_list(name, alias.ttl, list(alias))
            name = alias[0].target

    def _moved(self, rdataset: dns.rdataset.Rdataset) -> list[dns.rdata.Rdata]:
        if self._only_address is None or rdataset.rdtype != dns.rdatatype.A:
            return list(rdataset)
        only = dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.A, self._only_address)
        return [only if ipaddress.ip_address(a.address).is_loopback else a for a in rdataset]

    def _fate(self, name: dns.name.Name) -> Fate | None:
        return next((fate for above, fate in self._fates.items() if name.is_subdomain(above)), None)

    def _exists(self, name: dns.name.Name) -> bool:
        # A name with names below it exists, if without records (RFC 8020 section 2).
        return any(known.is_subdomain(name) for known in self._records)


def _name(text: str) -> dns.name.Name:
    return dns.name.from_text(text, idna_codec=dns.name.IDNA_2008)


def _ascii(text: str) -> str:
    return _name(text).to_text(omit_final_dot=True)
