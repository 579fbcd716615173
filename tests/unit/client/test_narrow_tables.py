"""Tables on a terminal of 80 columns."""

from collections.abc import Callable
from io import StringIO

import pytest
from rich.console import Console, RenderableType

from emta.bounce.v1.incident_service_pb2 import Incident
from emta.bounce.v1.qualification_pb2 import FailureReason, FailureType, Qualification
from emta.bounce.v1.qualifications_service_pb2 import (
    QualificationCluster,
    QualificationRow,
    QualificationStatus,
    SiteCount,
)
from emta.cli.incidents import incident_table
from emta.cli.qualification_tables import cluster_table, row_table
from emta.cli.sites import rule_table, site_table
from emta.relay.v1.site_pb2 import MxRule, Site

MD5 = "0123456789abcdef0123456789abcdef"
SITES = [SiteCount(site="mx.delta-lieferung.example", occurrences=3)]
FIGURES = {"cost": 12_345.6, "occurrences": 123_456, "final_occurrences": 12_345}
RULE = MxRule(
    name="google",
    connections=10,
    messages_per_connection=100,
    messages_per_second=0.5,
)


def shown(table: RenderableType, width: int) -> str:
    console = Console(width=width, file=StringIO())
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def clusters(width: int) -> str:
    row = QualificationCluster(template="no such user here", normalized_md5s=[MD5], sites=SITES, **FIGURES)  # type: ignore[arg-type]
    return shown(cluster_table([row], width), width)


def rows(width: int) -> str:
    row = QualificationRow(
        normalized_text="no such user here",
        normalized_md5=MD5,
        sites=SITES,
        status=QualificationStatus.QUALIFICATION_STATUS_TO_QUALIFY,
        in_force=Qualification(
            type=FailureType.FAILURE_TYPE_NOT_DEFINED, reason=FailureReason.FAILURE_REASON_ACCOUNT_DISABLED
        ),
        **FIGURES,  # type: ignore[arg-type]
    )
    return shown(row_table([row], width), width)


def sites(width: int) -> str:
    site = Site(name="delta-lieferung.example", rule=RULE, connections=2, relays=1, tokens=5)
    site.ready_time.FromSeconds(1)
    return shown(site_table([site], width), width)


def rules(width: int) -> str:
    rule = MxRule(mx=["*.olc.protection.outlook.com"], source="https://a.example/limits (our opinion)")
    rule.MergeFrom(RULE)
    return shown(rule_table([rule]), width)


def incidents(width: int) -> str:
    reasons = [FailureReason.FAILURE_REASON_USER_UNKNOWN, FailureReason.FAILURE_REASON_ACCOUNT_DISABLED]
    incident = Incident(
        incident_id="inc-4f2a91c0", site="gmail-smtp-in.l.google.com", reasons=reasons, held=123_456
    )
    incident.begin_time.FromSeconds(0)
    incident.hold_until_time.FromSeconds(86_400)
    return shown(incident_table([incident], width), width)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (
            incidents,
            ["inc-4f2a91c0", "gmail-smtp-in.l.google.com", "123,456", "1970-01-01 00:00", "1970-01-02"],
        ),
        (
            rules,
            ["google", "*.olc.protection.outlook.com", "https://a.example/limits", "30/min"],
        ),
        (clusters, ["12,345.6", "123,456", "Texts", MD5, "mx.delta-lieferung.example"]),
        (rows, ["12,345.6", "123,456", "Account disabled", MD5, "mx.delta-lieferung.example"]),
        (sites, ["delta-lieferung.example", "google", "Connections", "2/10", "30/min"]),
    ],
)
@pytest.mark.parametrize("width", [80, 160])
def test_nothing_is_cut_off_and_no_word_is_broken(
    table: Callable[[int], str], words: list[str], width: int
) -> None:
    said = table(width)

    assert [word for word in words if word not in said] == []
    assert "…" not in said
    assert {line[-1] for line in said.splitlines()[1:] if line} <= set("┓┃┩│┤┘")


@pytest.mark.parametrize("table", [clusters, rows, sites, incidents])
def test_a_wide_terminal_has_all_columns(table: Callable[[int], str]) -> None:
    assert table(160).splitlines()[2].count("┃") > table(80).splitlines()[2].count("┃")
