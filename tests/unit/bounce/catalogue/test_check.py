"""Rule CI finds what is wrong with rules that load."""

from pathlib import Path

import pytest

from services.bounce.catalogue import check
from services.bounce.catalogue.catalogue import load, parse
from tests.unit.bounce.rules import PROVIDERS, REST, catalogue, rule


def complaints(*rules: str) -> str:
    return "\n".join(check.complaints(catalogue(*rules)))


def test_the_shipped_rules_behave() -> None:
    assert check.complaints(load()) == []


def test_a_sample_that_another_rule_takes() -> None:
    found = complaints(
        rule("a", text="full", samples=["550 full"]), rule("b", text="box", samples=["550 full box"]), REST
    )

    assert found == "test.toml:11: rule b: '550 full box' is taken by a"


def test_a_negative_sample_that_is_taken() -> None:
    found = complaints(rule("a", text="full", samples=["550 full"], not_samples=["550 fully"]), REST)

    assert found == "test.toml:1: rule a: takes '550 fully', which it should not"


def test_words_that_nothing_proves() -> None:
    found = complaints(rule("a", text=["full", "quota"], samples=["550 full"]), REST)

    assert found == "test.toml:1: rule a: text 'quota' is found in none of its samples"


def test_words_without_a_counter_example() -> None:
    found = complaints(rule("a", text="full", samples=["550 full"], not_samples=[]), REST)

    assert found == "test.toml:1: rule a: has no not_samples"


def test_a_rule_without_samples() -> None:
    assert complaints(rule("a", text="full"), REST) == "test.toml:1: rule a: has no samples"


def test_a_sample_that_is_none() -> None:
    assert "'[recpt] 550 full' is no sample" in complaints(
        rule("a", text="full", samples=["[recpt] 550 full"]), REST
    )


def test_a_rule_that_can_never_win() -> None:
    same = [rule(name, codes=["5"], text="full", samples=["550 full"]) for name in ("a", "b")]

    assert "rule b: can never win, a matches the same" in complaints(*same, REST)


def test_a_pattern_that_is_found_everywhere() -> None:
    assert "text is found in every reply" in complaints(
        rule("a", text="(?:full)?", samples=["550 full"]), REST
    )


def test_a_site_that_is_nobodys() -> None:
    found = complaints(
        rule("a", mx=["flurble.example"], samples=["[rcpt unspecified mx.flurble.example] 550"]), REST
    )

    assert found == (
        "test.toml:1: rule a: mx flurble.example: no provider has an MX host there; add [provider.NAME]"
    )


def test_a_provider_that_no_mx_host_leads_to() -> None:
    text = PROVIDERS.replace("aspmx.l.google.com", "aspmx.l.gogle.com")
    found = check.complaints(parse([("00.toml", (text + REST).encode())]))

    assert found == [
        "00.toml: provider google: the MX host aspmx.l.gogle.com lies in none of its domains",
        "00.toml: provider google: no MX host is known in google.com",
    ]


def test_a_catalogue_without_an_end() -> None:
    assert "does not match everything" in complaints(rule("a", text="full", samples=["550 full"]))


def test_overlaps_with_different_meanings_are_found() -> None:
    rules = catalogue(
        rule("full", bounce_code=22, text="quota", samples=["550 over quota limit"]),
        rule("rate", bounce_code=70, text="limit", samples=["450 limit"]),
        rule("same", bounce_code=22, text="over quota", samples=[]),
        REST,
    )

    assert [(each.winner.id, each.other.id) for each in check.overlaps(rules)] == [("full", "rate")]


def test_an_override_that_takes_much_of_what_is_shipped_is_told() -> None:
    """Its own samples behave; nobody would see from them that it takes nearly everything."""
    shipped = [rule(f"s{n}", text=f"word{n}x", samples=[f"550 word{n}x"]) for n in range(30)]
    wide = rule("ours.wide", text="[a-z]", samples=["550 gribble"])
    narrow = rule("ours.narrow", text="word[0-9]x", provider="google", samples=["550 word1x"])
    rules = catalogue(*shipped, REST, overrides=narrow + wide)

    assert check.warnings(rules) == [
        "ours.toml:11: rule ours.wide: takes 31 of the 31 samples that are shipped"
    ]


@pytest.mark.parametrize(("taken", "told"), [(5, False), (6, True)])
def test_one_in_twenty_is_not_much(taken: int, told: bool) -> None:
    shipped = [rule("s", samples=[f"550 odd {'x' * n}" for n in range(1, 101)])]
    ours = rule("ours", text=f"^odd x{{1,{taken}}}$", samples=["550 odd x"])

    assert bool(check.warnings(catalogue(*shipped, overrides=ours))) == told


def test_check_prints_the_warning_and_succeeds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "ours.toml").write_text(
        rule("ours.wide", text="[a-z]", samples=["550 a"], not_samples=["550 1"])
    )

    assert check.main([str(tmp_path / "ours.toml")]) == 0

    assert "warning: ours.toml:1: rule ours.wide: takes" in capsys.readouterr().out
