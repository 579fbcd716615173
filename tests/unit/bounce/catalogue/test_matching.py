"""Which rule speaks about a reply."""

import pytest

from tests.unit.bounce.rules import REST, catalogue, rule, winner


def test_the_first_rule_that_matches_decides() -> None:
    rules = catalogue(rule("late.full", text="quota"), rule("other", text="over quota"), REST)

    assert winner(rules, "550 user is over quota") == "late.full"
    assert winner(rules, "550 flurble") == "rest"


def test_a_rule_without_words_wins_by_its_place_among_those_with_words() -> None:
    rules = catalogue(rule("words", text="quota"), rule("code", codes=["552"]), rule("more", text="full"))

    assert winner(rules, "552 quota is full") == "words"
    assert winner(rules, "552 mailbox full") == "code"
    assert winner(rules, "550 mailbox full") == "more"
    assert winner(rules, "550 flurble") == ""


def test_the_case_of_pattern_and_text_does_not_matter() -> None:
    rules = catalogue(rule("full", text="Postfach ÜBERFÜLLT"))

    assert winner(rules, "550 postfach überfüllt") == "full"


def test_unless_must_not_be_found() -> None:
    rules = catalogue(rule("user", text="address rejected", unless="sender address"), REST)

    assert winner(rules, "550 Recipient address rejected") == "user"
    assert winner(rules, "550 Sender address rejected") == "rest"


def test_any_of_several_patterns_is_enough_and_any_of_unless_is_too_much() -> None:
    rules = catalogue(rule("a", text=["full", "over quota"], unless=["message", "hourly"]), REST)

    assert winner(rules, "550 mailbox full") == "a"
    assert winner(rules, "550 over quota") == "a"
    assert winner(rules, "550 hourly limit full") == "rest"
    assert winner(rules, "550 quota") == "rest"


def test_a_pattern_without_a_literal_word_is_found_as_well() -> None:
    rules = catalogue(rule("a", text=r"^\S+\.[a-z]{2,} \S+$"), rule("b", text="[45]{3}"), REST)

    assert winner(rules, "550 mail.example gone") == "a"
    assert winner(rules, "550 code 545") == "b"


def test_the_largest_patterns_are_found_as_well() -> None:
    rules = catalogue(rule("a", text=r"(?:a|bc){1,1000}d{1,900}"), rule("b", text=r"\pL{1,7}ende"), REST)

    assert winner(rules, f"550 {'abc' * 300}ddd") == "a"
    assert winner(rules, "550 用户ende") == "b"
    assert winner(rules, "550 abcabc ende") == "rest"


def test_two_rules_may_share_a_pattern() -> None:
    rules = catalogue(rule("a", codes=["4"], text="full"), rule("b", codes=["5"], text="full"))

    assert winner(rules, "450 full") == "a"
    assert winner(rules, "550 full") == "b"


@pytest.mark.parametrize(
    ("pattern", "status", "matches"),
    [
        ("5.1.1", "5.1.1", True),
        ("5.1.1", "5.1.10", False),
        ("5.1.1", "4.1.1", False),
        ("x.1.1", "4.1.1", True),
        ("5.7.*", "5.7.515", True),
        ("5.*.*", "5.1.1", True),
        ("5.7.606-649", "5.7.606", True),
        ("5.7.606-649", "5.7.649", True),
        ("5.7.606-649", "5.7.650", False),
        ("5.7.606-649", "5.7.64", False),
    ],
)
def test_enhanced_codes(pattern: str, status: str, matches: bool) -> None:
    rules = catalogue(rule("it", enhanced=[pattern]), REST)

    assert winner(rules, f"550 {status} flurble") == ("it" if matches else "rest")


def test_phases_and_failures() -> None:
    rules = catalogue(rule("rcpt", phases=["rcpt"]), rule("slow", failures=["timeout"]), REST)

    assert winner(rules, "[rcpt] 550 x") == "rcpt"
    assert winner(rules, "[dot timeout] x") == "slow"
    assert winner(rules, "[dot] 550 x") == "rest"


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("aspmx.l.google.com", "google"),
        ("google.com", "google"),
        ("notgoogle.com", "rest"),
        ("google.com.evil.example", "rest"),
        ("hotmail-com.olc.protection.outlook.com", "outlook"),
        ("shop.mail.protection.outlook.com", "microsoft"),
    ],
)
def test_a_provider_is_known_by_its_mx_hosts(host: str, found: str) -> None:
    names = ("google", "outlook", "microsoft")
    rules = catalogue(*(rule(name, provider=name) for name in names), REST)

    assert winner(rules, f"[rcpt unspecified {host}] 550 x") == found


def test_a_provider_named_by_hand_stands_in_for_the_mx_host() -> None:
    rules = catalogue(rule("outlook", provider="outlook"), rule("by-mx", mx=[".l.google.com"]), REST)

    assert winner(rules, "550 x", provider="outlook") == "outlook"
    # A family is any of its members, and a member is of its family.
    assert winner(rules, "550 x", provider="microsoft") == "outlook"
    assert winner(rules, "550 x", provider="google") == "by-mx"
    assert winner(rules, "550 x", provider="nobody") == "rest"
    assert winner(rules, "[rcpt unspecified mx.other.example] 550 x", provider="outlook") == "rest"


def test_overrides_come_first_and_may_disable() -> None:
    ours = 'disabled = ["b"]\n' + rule("ours", text="strange")
    rules = catalogue(rule("a", text="strange"), rule("b", text="full"), REST, overrides=ours)

    assert winner(rules, "550 strange") == "ours"
    assert winner(rules, "550 full") == "rest"


def test_the_version_names_the_rules() -> None:
    plain = catalogue(REST)

    assert plain.version == catalogue(REST).version
    assert len(plain.version) == 16
    assert plain.version != catalogue(rule("a"), REST).version
    assert plain.version != catalogue(REST, overrides=rule("a")).version
