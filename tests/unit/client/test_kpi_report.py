"""The figures of a delivery on a terminal."""

from __future__ import annotations

from rich.console import Console

from emta.cli.tables import kpi_report
from emta.feedback.v1.delivery_pb2 import DeliveryKpis, DomainKpis


def shown(kpis: DeliveryKpis) -> list[str]:
    console = Console(width=80)
    with console.capture() as capture:
        console.print(kpi_report(kpis))
    return capture.get().splitlines()


def row(lines: list[str], name: str) -> list[str]:
    (line,) = [line for line in lines if line.startswith(f"│ {name} ")]
    return [cell.strip() for cell in line.strip("│").split("│")]


def test_before_the_first_success_there_is_no_percentage_anywhere() -> None:
    lines = shown(DeliveryKpis(to_deliver=2, domains=[DomainKpis(domain="a.example", accepted=2)]))

    assert row(lines, "Success") == ["Success", "0", "-"]
    assert row(lines, "a.example")[-1] == "-"


def test_from_the_first_success_on_there_is_one() -> None:
    kpis = DeliveryKpis(
        to_deliver=2,
        sent=1,
        success_percent=50,
        domains=[DomainKpis(domain="a.example", accepted=2, sent=1)],
    )
    lines = shown(kpis)

    assert row(lines, "Success") == ["Success", "1", "50.0 %"]
    assert row(lines, "a.example")[-1] == "50.0 %"
