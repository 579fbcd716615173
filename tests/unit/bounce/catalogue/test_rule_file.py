"""What is wrong with a rule file is said with file, line, rule and key."""

import pytest

from services.bounce.catalogue.catalogue import load
from services.bounce.catalogue.rule_file import RuleError
from tests.unit.bounce.rules import REST, catalogue, rule

MULTILINE = """
[[rule]]
id = "first"
text = '''
[[rule]]
'''
bounce_code = 10
cause = "mailbox"
scope = "recipient"
source = "test"
samples = []
"""


WORDS = """
[words]
recipient = ['users?', 'mailbox(?:es)?']
"""


def said(*rules: str, overrides: str = "") -> str:
    with pytest.raises(RuleError) as caught:
        catalogue(*rules, overrides=overrides)
    return str(caught.value)


def test_the_shipped_rules_load() -> None:
    assert len(load().rules) > 50


def test_an_unknown_key_is_named_with_its_line() -> None:
    assert said(rule("a.b", provder="google")) == (
        "test.toml:8: rule a.b: unknown key provder; did you mean provider?"
    )


def test_headers_within_a_pattern_are_no_rules() -> None:
    text = MULTILINE + "\n" + rule("second", frob=1)

    assert said(text) == "test.toml:20: rule second: unknown key frob"


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ({"text": "(?<!sender )user"}, "text: invalid perl operator: (?<!"),
        ({"unless": "("}, "unless: missing ): ("),
        ({"text": r"(?:\pL{1,20} ){10}\pL{500}"}, "instructions, over 10,000"),
        ({"text": "(?:(?:a{1,100}){1,100}){1,100}"}, "text: "),
        ({"text": 5}, "text must be a string or a list of strings"),
        ({"text": ["full", 5]}, "text must be a list of strings"),
        ({"text": "{recipent} unknown"}, "unknown words {recipent}; did you mean recipient?"),
        ({"codes": "5"}, "codes must be a list of strings"),
        ({"codes": [5]}, "codes must be a list of strings"),
        ({"codes": ["5.1"]}, "codes '5.1' is not the beginning of a reply code"),
        ({"enhanced": ["5.1"]}, "enhanced '5.1' is not of the form"),
        ({"phases": ["recipient"]}, "phases has no value recipient"),
        ({"provider": "gogle"}, "unknown provider gogle; did you mean google?"),
        ({"bounce_code": 11}, "bounce_code 11 is none"),
        ({"bounce_code": 0}, "bounce_code 0 is none"),
        ({"reason": "user_unkown"}, "reason has no value user_unkown; did you mean user_unknown?"),
        ({"reason": "denylisted"}, "reason is none that a message may have"),
        ({"type": "unspecified"}, "type has no value unspecified"),
        ({"bounce_code": 80}, "bounce_code 80 is none"),
        ({"type": "hard", "reason": "refused"}, "type and reason do not go together"),
        ({"bounce_code": 22, "type": "hard"}, "type and reason do not go together"),
        ({"disposition": "retry"}, "disposition is final where the type is hard"),
        ({"wait": "300"}, "wait '300' has no unit"),
        ({"wait": 300}, "wait must be a string"),
        ({"cause": None}, "cause is missing"),
        ({"cause": None, "scope": None}, "cause, scope are missing"),
        ({"id": "Not Good"}, "id is not of the form"),
    ],
)
def test_what_is_wrong_is_named(keys: dict[str, object], complaint: str) -> None:
    text = said(rule("a.b", **keys) if "id" not in keys else rule("", **keys), WORDS)

    assert text.startswith("test.toml:")
    assert complaint in text


def test_a_pattern_names_words_and_goes_over_several_lines() -> None:
    long = """
        {recipient}[ ]
          (?:unknown|
             lost)
    """
    rules = catalogue(rule("a", text=[long]), WORDS)

    assert rules.rules[0].text == ("(?:users?|mailbox(?:es)?)[ ](?:unknown|lost)",)


def test_words_go_over_several_lines_as_well() -> None:
    words = "[words]\nstate = [\n'gone',\n'''\n  un(?:known|\n    listed)\n''',\n]\n"
    rules = catalogue(rule("a", text="user {state}"), words)

    assert rules.rules[0].text == ("user (?:gone|un(?:known|listed))",)


def test_words_are_lists_of_patterns() -> None:
    assert said("[words]\nfew = 'a'") == "test.toml:2: words few must be a list of strings"
    assert said("[words]\nFew = ['a']") == "test.toml:2: words Few: the name is not in lower case"


def test_ids_are_unique() -> None:
    assert said(rule("a"), rule("a")) == "test.toml:9: rule a: is there already (test.toml:1)"


def test_unknown_tables_are_errors() -> None:
    assert said("[rules]\nid = 1") == "test.toml:1: unknown table rules; did you mean rule?"


def test_broken_toml_is_named_with_its_line() -> None:
    assert said("[[rule]]\nid = \n") == "test.toml: Invalid value (at line 2, column 6)"


def test_only_overrides_disable_and_only_what_there_is() -> None:
    assert said('disabled = ["a"]\n' + REST) == "test.toml: only overrides disable rules"
    assert said(REST, overrides='disabled = ["b"]') == (
        "ours.toml: disabled names no rule of the shipped set: b"
    )


def test_the_rule_for_all_the_rest_stays() -> None:
    assert said(REST, overrides='disabled = ["rest"]') == (
        "ours.toml: disabled: rest takes what no other rule does, and stays"
    )


def test_words_of_an_override_change_no_shipped_rule() -> None:
    ours = "[words]\nrecipient = ['people']\n" + rule("ours", text="{recipient} gone")

    rules = catalogue(rule("shipped", text="{recipient} lost"), WORDS, overrides=ours)

    assert [each.text for each in rules.rules] == [
        ("(?:people) gone",),
        ("(?:users?|mailbox(?:es)?) lost",),
    ]


def test_files_of_any_editor_are_read() -> None:
    rules = catalogue(REST, overrides="\ufeff" + rule("ours", text="gone").replace("\n", "\r\n"))

    assert rules.rules[0].id == "ours"


def test_a_file_nested_without_end_is_refused() -> None:
    assert said("a = " + "[" * 5_000) == "test.toml: nested too deeply"


def test_a_provider_needs_its_hosts() -> None:
    assert said('[provider.x]\nmx = ["x.example"]') == "test.toml:1: provider x: hosts is missing"


@pytest.mark.parametrize(("key", "line"), [("mx", 2), ("hosts", 3)])
def test_a_provider_without_a_host_is_none(key: str, line: int) -> None:
    """Overrides, too: nobody could tell whether its rules are ever reached."""
    ours = {"mx": '["x.example"]', "hosts": '["mx.x.example"]'} | {key: "[]"}
    text = "[provider.x]\n" + "\n".join(f"{name} = {value}" for name, value in ours.items())

    assert said(REST, overrides=text) == f"ours.toml:{line}: provider x: {key} is empty"
