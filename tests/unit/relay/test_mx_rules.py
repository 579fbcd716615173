"""MX rules: which site a host belongs to, and what is wrong with a rule."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.relay.mx_rules import MxRuleError, MxRules

SHIPPED = """
[default]
connections = 10
messages_per_connection = 100
source = "ours"

[[rule]]
name = "big"
mx = ["*.big.example", "mx.other.example"]
connections = 4
source = "https://big.example/limits"
"""


def rules(*files: str) -> MxRules:
    return MxRules.parse([(f"file{number}.toml", text.encode()) for number, text in enumerate(files)])


def rule(text: str) -> str:
    return f"[[rule]]\n{text}\n"


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("mx1.big.example", "big"),
        ("a.b.c.big.example", "big"),
        ("MX1.Big.Example.", "big"),
        ("mx.other.example", "big"),
        ("big.example", "big.example"),
        ("notbig.example", "notbig.example"),
        ("mx.notbig.example", "mx.notbig.example"),
        ("a.mx.other.example", "a.mx.other.example"),
        ("big.example.evil.example", "big.example.evil.example"),
        ("", ""),
    ],
)
def test_a_host_belongs_to_the_rule_that_matches_it_by_whole_labels_else_to_itself(
    host: str, site: str
) -> None:
    found = rules(SHIPPED).site(host)

    assert found.name == site
    assert found.rule.name == ("big" if site == "big" else "default")


def test_what_a_rule_does_not_say_the_default_says() -> None:
    big = rules(SHIPPED).named("big")

    assert (big.connections, big.messages_per_connection, big.messages_per_second) == (4, 100, None)


@pytest.mark.parametrize(
    ("rate", "per_second"),
    [("100/s", 100), ("0.2/s", 0.2), ("30/min", 0.5), ("9/h", 9 / 3600), ("864/day", 0.01)],
)
def test_a_rate_names_its_unit(rate: str, per_second: float) -> None:
    text = rule(f'name = "big"\nrate = "{rate}"')

    assert rules(SHIPPED, text).named("big").messages_per_second == pytest.approx(per_second)


def test_an_operator_changes_single_keys_adds_sites_and_is_the_source_of_what_he_changed() -> None:
    merged = rules(
        SHIPPED,
        '[default]\nrate = "10/s"\n'
        + rule('name = "big"\nmessages_per_connection = 7\nrate = "unlimited"')
        + rule('name = "small"\nmx = ["mx.small.example"]\nconnections = 1\nsource = "they told us"'),
    )

    big, small = merged.named("big"), merged.site("mx.small.example").rule
    assert (big.connections, big.messages_per_connection, big.messages_per_second) == (4, 7, None)
    assert big.source == "file1.toml"
    assert (small.connections, small.messages_per_connection, small.messages_per_second) == (1, 100, 10)
    assert small.source == "they told us"
    assert merged.default.messages_per_second == 10
    assert [each.name for each in merged] == ["big", "small"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ('name = "x"\nmx = ["*.x.example"]\nspeed = 1', "file1.toml:1: rule x: unknown key speed"),
        ('name = "x"\nmx = ["*.x.example"]\nrate = "10"', "rule x: rate"),
        ('name = "x"\nmx = ["*.x.example"]\nrate = "10/hour"', "rule x: rate"),
        ('name = "x"\nmx = ["*.x.example"]\nrate = "0/s"', "must be 1/day to"),
        ('name = "x"\nmx = ["*.x.example"]\nrate = 10', "rate must be a string"),
        ('name = "x"\nmx = ["*.x.example"]\nconnections = 0', "connections must be 1 to"),
        ('name = "x"\nmx = ["*.x.example"]\nconnections = true', "connections must be a whole number"),
        ('name = "x"', "rule x: mx is missing"),
        ('name = "x"\nmx = []', "rule x: mx is empty"),
        ('mx = ["*.x.example"]', "rule (without name)"),
        ('name = "X"\nmx = ["*.x.example"]', "rule X: name must be"),
        ('name = "default"\nmx = ["*.x.example"]', "rule default: the default is written [default]"),
        ('name = "x.example"\nmx = ["*.x.example"]', "rule x.example: name must be"),
        ('name = "x"\nmx = ["*.X.example"]', "mx '*.X.example'"),
        ('name = "x"\nmx = ["*.x.example."]', "mx '*.x.example.'"),
        ('name = "x"\nmx = ["x.example "]', "mx 'x.example '"),
        ('name = "x"\nmx = ["*.com"]', "mx '*.com'"),
        ('name = "x"\nmx = ["mx.*.example"]', "mx 'mx.*.example'"),
        ('name = "x"\nmx = [1]', "rule x: mx 1"),
        ('name = "x"\nmx = ["*.big.example"]', "rule x: mx *.big.example: rule big has it too"),
        ('name = "x"\nmx = ["mx.big.example"]', "rule x: mx mx.big.example: *.big.example of rule big"),
        ('name = "x"\nmx = ["*.us.big.example"]', "rule x: mx *.us.big.example: *.big.example of rule big"),
        ('name = "x"\nmx = ["*.x.example", "mx.x.example"]', "*.x.example of rule x matches it too"),
        ('name = "big"\n[[rule]]\nname = "big"', "file1.toml:3: rule big: is there twice"),
        ('name = "x"\nmx = ["*.x.example"]\n[other]', "file1.toml: unknown table other"),
        ('name = "x', "file1.toml:"),
    ],
)
def test_an_error_names_the_file_the_line_and_the_rule(text: str, complaint: str) -> None:
    with pytest.raises(MxRuleError) as caught:
        rules(SHIPPED, rule(text))

    assert complaint in str(caught.value)


def test_the_default_matches_no_host() -> None:
    with pytest.raises(MxRuleError, match="default: mx belongs to a rule"):
        rules(SHIPPED, '[default]\nmx = ["*.example.com"]')


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(MxRuleError, match=r"none\.toml: No such file"):
        MxRules.load(tmp_path / "none.toml")


def test_an_operators_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(rule('name = "google"\nconnections = 3'))

    assert MxRules.load(path).site("aspmx.l.google.com").rule.connections == 3


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("gmail-smtp-in.l.google.com", "google"),
        ("aspmx2.googlemail.com", "google"),
        ("smtp.google.com", "google"),
        ("hotmail-com.olc.protection.outlook.com", "microsoft-consumer"),
        ("contoso-com.mail.protection.outlook.com", "microsoft-365"),
        ("contoso-com.o-v1.mx.microsoft", "microsoft-365"),
        ("mta5.am0.yahoodns.net", "yahoo"),
        ("mx01.mail.icloud.com", "apple"),
        ("mx1.comcast.net", "comcast"),
        ("smtp-in.orange.fr", "orange"),
        ("mx00.gmx.net", "united-internet"),
    ],
)
def test_the_shipped_rules_know_the_hosts_of_their_providers(host: str, site: str) -> None:
    assert MxRules.load().site(host).name == site


def test_every_shipped_figure_has_a_source() -> None:
    shipped = MxRules.load()

    assert [each.name for each in (shipped.default, *shipped) if len(each.source) < 20] == []


_labels = st.lists(st.sampled_from(["a", "b", "mx", "big", "example", "com"]), min_size=1, max_size=6)


@given(_labels)
def test_a_site_is_found_as_if_every_pattern_were_tried(labels: list[str]) -> None:
    loaded, host = rules(SHIPPED), ".".join(labels)

    tried = [
        each.name
        for each in loaded
        for mx in each.mx
        if (host.endswith(mx[1:]) and host != mx[2:] if mx.startswith("*.") else host == mx)
    ]

    assert loaded.site(host).name == (tried[0] if tried else host)
