"""The example Internet: sites as a sender meets them, and odd ones for the tests."""

from __future__ import annotations

from demo.receiver.traits import Starttls, Traits
from demo.receiver.zone import Fate, Zone

_CLEAR = Traits(starttls=Starttls.ABSENT)


# Where a demo sends to: sites as there are many, no trouble but that of the recipients.
EXAMPLE_DOMAINS = (
    "alpha.example",
    "beta.example",
    "gamma.example",
    "delta.example",
    "epsilon.example",
    "zeta.example",
    "müller.example",
    "eta.example",
    "theta.example",
    "iota.example",
)


def example_zone() -> Zone:
    """A new zone with all example domains. All names are reserved ones (RFC 2606)."""
    zone = Zone()
    _add_usual_sites(zone)
    _add_odd_names(zone)
    _add_odd_servers(zone)
    return zone


def _add_usual_sites(zone: Zone) -> None:
    zone.add_site(
        "alpha.example",
        [(10, "mail.alpha.example", ())],
        summary="a large mail provider: one MX, TLS, all extensions",
    )
    zone.add_site(
        "beta.example",
        [(10, "mx1.beta.example", ()), (20, "mx2.beta.example", ())],
        summary="two MX hosts, the second for when the first is away",
    )
    zone.add_site(
        "gamma.example",
        [(10, "east.gamma.example", ()), (10, "west.gamma.example", ())],
        summary="two MX hosts of equal preference",
    )
    zone.add_implicit("delta.example", summary="no MX record, only an address")
    zone.add_site("epsilon.example", traits=_CLEAR, summary="an older server without TLS")
    zone.add_site(
        "zeta.example",
        traits=Traits(starttls=Starttls.ABSENT, pipelining=False, enhanced_codes=False),
        summary="a gateway without TLS, PIPELINING and enhanced codes",
    )
    zone.add_site("müller.example", summary="an internationalized domain, with SMTPUTF8")
    zone.add_site("hosting.example", summary="a company that has mail for others")
    zone.add_cname("eta.example", "hosting.example")
    zone.summaries["eta.example"] = "an alias (CNAME) of hosting.example"
    zone.add_site(
        "theta.example",
        [(10, "mx.hosting.example", ())],
        summary="a domain of its own at hosting.example's server",
    )
    zone.add_site(
        "iota.example",
        traits=Traits(messages_per_connection=20),
        summary="a strict server: 20 messages in a connection",
    )


def _add_odd_names(zone: Zone) -> None:
    zone.summaries["no-such.example"] = "does not exist (NXDOMAIN)"
    zone.add_null_mx("null-mx.example", summary="takes no mail (null MX)")
    zone.add_txt("no-mail.example", "neither MX nor address")
    zone.summaries["no-mail.example"] = "exists, with neither MX nor address"
    zone.add_failing("servfail.example", Fate.SERVFAIL, summary="its name server fails (SERVFAIL)")
    zone.add_failing("silent-dns.example", Fate.SILENT, summary="its name server never answers")
    zone.add_site(
        "forbidden.example",
        [(10, "mx.forbidden.example", ["10.0.0.1"])],
        summary="its MX points into a private network",
    )
    zone.add_site("many-mx.example", [(10, "mx.many-mx.example", ())], summary="an MX answer only for TCP")
    # Enough for more than 1232 octets; the hosts have no address, so that all mail goes to the first.
    for number in range(60):
        zone.add("many-mx.example", "MX", f"20 spare-{number:02}.many-mx.example.")
    zone.add("dangling-mx.example", "MX", "10 gone.dangling-mx.example.")
    zone.summaries["dangling-mx.example"] = "its MX host has no address"


def _add_odd_servers(zone: Zone) -> None:
    zone.add_site("refused.example", traits=Traits(listens=False), summary="nobody listens")
    zone.add_site(
        "silent.example", traits=Traits(silent=True), summary="takes connections and says nothing"
    )
    zone.add_site("second-mx.example", [(10, "mx1.second-mx.example", ())], traits=Traits(listens=False))
    zone.add_site(
        "second-mx.example",
        [(20, "mx2.second-mx.example", ())],
        summary="nobody listens at the first MX host, all is well at the second",
    )
    zone.add_site("no-tls.example", traits=_CLEAR, summary="does not offer STARTTLS")
    zone.add_site(
        "tls-broken.example", traits=Traits(starttls=Starttls.BROKEN), summary="the TLS handshake fails"
    )
    zone.add_site("no-8bitmime.example", traits=Traits(eight_bit_mime=False), summary="no 8BITMIME")
    zone.add_site("no-smtputf8.example", traits=Traits(smtputf8=False), summary="no SMTPUTF8")
    zone.add_site("no-pipelining.example", traits=Traits(pipelining=False), summary="no PIPELINING")
    zone.add_site("small.example", traits=Traits(size=4096), summary="messages of 4096 octets at most")
    zone.add_site(
        "five-a-time.example",
        traits=Traits(messages_per_connection=5),
        summary="421 after five messages in a connection",
    )
    zone.add_site(
        "banner-554.example",
        traits=Traits(banner="554 5.7.1 No mail from your network"),
        summary="554 instead of a greeting",
    )
    zone.add_site(
        "banner-421.example",
        traits=Traits(banner="421 4.3.2 Service not available, closing transmission channel"),
        summary="421 instead of a greeting",
    )
    zone.add_site(
        "helo-only.example",
        traits=Traits(helo_only=True, starttls=Starttls.ABSENT, enhanced_codes=False, pipelining=False),
        summary="knows HELO only",
    )
