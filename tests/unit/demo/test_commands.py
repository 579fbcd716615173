"""What a server reads in MAIL and RCPT, and what it says of it."""

from __future__ import annotations

import pytest

from demo.receiver.commands import MAIL, RCPT, params_of, refusal_of, without_enhanced_codes
from demo.receiver.traits import Traits


@pytest.mark.parametrize(
    ("text", "path", "params"),
    [
        ("FROM:<>", "", {}),
        ("from:<a@b.example>", "a@b.example", {}),
        ("FROM:<a@b.example> BODY=8BITMIME SMTPUTF8", "a@b.example", {"BODY": "8BITMIME", "SMTPUTF8": ""}),
        (r'FROM:<"a>\"b"@c.example> size=12', r'"a>\"b"@c.example', {"SIZE": "12"}),
        ("FROM:<jürgen@müller.example> SMTPUTF8", "jürgen@müller.example", {"SMTPUTF8": ""}),
    ],
)
def test_mail_has_a_path_and_parameters(text: str, path: str, params: dict[str, str]) -> None:
    match = MAIL.fullmatch(text)

    assert match is not None
    assert (match[1], params_of(match[2])) == (path, params)


@pytest.mark.parametrize(
    "text", ["", "a@b.example", "TO:a@b.example", "TO:<a@b.example", "TO <a@b.example>"]
)
def test_rcpt_needs_its_brackets(text: str) -> None:
    assert RCPT.fullmatch(text) is None


@pytest.mark.parametrize(
    ("params", "traits", "code"),
    [
        ({"BODY": "8BITMIME"}, Traits(eight_bit_mime=False), "555"),
        ({"SMTPUTF8": ""}, Traits(smtputf8=False), "555"),
        ({"SIZE": "1"}, Traits(size=None), "555"),
        ({"RET": "HDRS"}, Traits(), "555"),
        ({"SIZE": "many"}, Traits(), "501"),
        ({"SIZE": "4097"}, Traits(size=4096), "552"),
        ({"SIZE": "4096"}, Traits(size=4096), None),
        ({"BODY": "8BITMIME", "SMTPUTF8": "", "SIZE": "1"}, Traits(), None),
    ],
)
def test_mail_is_refused_for_what_is_not_offered(
    params: dict[str, str], traits: Traits, code: str | None
) -> None:
    refusal = refusal_of("a@b.example", params, traits)

    assert (refusal and refusal[:3]) == code


def test_a_non_ascii_sender_needs_smtputf8() -> None:
    refusal = refusal_of("jürgen@b.example", {}, Traits())

    assert refusal is not None
    assert refusal.startswith("553 5.6.7")
    assert refusal_of("jürgen@b.example", {"SMTPUTF8": ""}, Traits()) is None


def test_enhanced_codes_go_from_every_line_and_nothing_else_does() -> None:
    assert without_enhanced_codes("550-5.1.1 No\r\n550 5.1.1 5.1.1 such") == "550-No\r\n550 5.1.1 such"
    assert without_enhanced_codes("250 10.20.30.40 Ok") == "250 10.20.30.40 Ok"
