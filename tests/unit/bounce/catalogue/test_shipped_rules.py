"""What the shipped rules say of whole families of replies."""

import pytest
import re2

from emta.bounce.v1.qualification_pb2 import Cause, FailureType, Qualification, Scope
from emta.bounce.v1.smtp_reply_pb2 import SmtpPhase
from services.bounce.catalogue.catalogue import load, shipped_files
from services.bounce.qualify import Qualifier
from tests.unit.bounce.rules import reply

QUALIFIER = Qualifier(load())
SAMPLES = [sample for rule in QUALIFIER.catalogue.rules for sample in rule.samples]
HARD = FailureType.FAILURE_TYPE_HARD
GMAIL = "[dot unspecified gmail-smtp-in.l.google.com]"
OUTLOOK = "[dot unspecified hotmail-com.olc.protection.outlook.com]"
YAHOO = "[dot unspecified mta5.am0.yahoodns.net]"


def meaning(sample: str) -> Qualification:
    return QUALIFIER.answer(reply(sample)).meaning


@pytest.mark.parametrize(
    "sample",
    [
        *(
            f"{GMAIL} {code}.7.{detail} flurble"
            for code in ("421 4", "550 5")
            for detail in (26, 27, 30, 31, 32)
        ),
        f"{GMAIL} 550 5.7.40 flurble",
        f"{OUTLOOK} 550 5.7.515 flurble",
        f"{YAHOO} 554 5.7.9 flurble",
    ],
)
def test_what_authentication_lacks_is_the_from_domains_fault(sample: str) -> None:
    told = meaning(sample)

    assert (told.cause, told.scope) == (Cause.CAUSE_AUTHENTICATION, Scope.SCOPE_FROM_DOMAIN)
    assert told.type == FailureType.FAILURE_TYPE_IGNORED


@pytest.mark.parametrize(
    ("sample", "cause"),
    [
        (f"{GMAIL} 421 4.7.28 flurble", Cause.CAUSE_RATE),
        (f"{OUTLOOK} 550 5.7.1 flurble (S3140)", Cause.CAUSE_BLOCK),
        (f"{OUTLOOK} 550 5.7.1 flurble (S3150)", Cause.CAUSE_BLOCK),
        (f"{OUTLOOK} 421 RP-001 flurble", Cause.CAUSE_REPUTATION),
        (f"{OUTLOOK} 421 RP-003 flurble", Cause.CAUSE_REPUTATION),
        (f"{YAHOO} 421 4.7.0 [TSS04] flurble", Cause.CAUSE_COMPLAINT),
    ],
)
def test_what_the_source_did_is_answered_at_this_site_only(sample: str, cause: Cause) -> None:
    told = meaning(sample)

    assert (told.cause, told.scope) == (cause, Scope.SCOPE_SOURCE_AT_SITE)


@pytest.mark.parametrize("phase", ["CONNECT", "EHLO", "STARTTLS", "MAIL"])
def test_nothing_that_is_said_before_a_recipient_was_named_condemns_an_address(phase: str) -> None:
    def said_earlier(sample: str) -> Qualification:
        told = reply(sample)
        told.phase = SmtpPhase.Value(f"SMTP_PHASE_{phase}")
        return QUALIFIER.answer(told).meaning

    assert [sample for sample in SAMPLES if said_earlier(sample).type == HARD] == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<a@b.example>: ", ""),
        ("", " for <a@b.example>"),
        ("Error: ", ""),
        ("Message could not be delivered: ", ""),
        ("host mx.b.example[192.0.2.1] said: 550 ", ""),
        ("", " (in reply to RCPT TO command)"),
    ],
)
def test_addresses_and_who_quotes_make_no_reply_hard_and_save_none(before: str, after: str) -> None:
    def quoted(sample: str) -> Qualification:
        told = reply(sample)
        told.text = before + told.text + after
        return QUALIFIER.answer(told).meaning

    changed = [
        sample for sample in SAMPLES if (quoted(sample).type == HARD) != (meaning(sample).type == HARD)
    ]

    assert changed == []


VERDICTS = [
    "unknown",
    "not found",
    "does not exist",
    "is invalid",
    "disabled",
    "is suspended",
    "not active",
]


@pytest.mark.parametrize("noun", ["user", "mailbox", "recipient", "account", "alias", "subscriber"])
def test_a_verdict_on_a_recipient_condemns_the_address_whatever_is_around_it(noun: str) -> None:
    said = [
        f"550 {before}{noun} {verdict}"
        for before in ("", "The ", "<a@b.example>: ")
        for verdict in VERDICTS
    ]

    assert [sample for sample in said if meaning(sample).type != HARD] == []


@pytest.mark.parametrize(
    "noun", ["TLS version", "charset", "mailbox server", "reply-to address", "service", "domain", "sender"]
)
def test_a_verdict_on_something_else_condemns_nobody_though_a_recipient_is_named(noun: str) -> None:
    said = [
        f"550 {before}{noun} {verdict}{after}"
        for before, after in (
            ("<a@b.example>: Recipient address rejected: ", ""),
            ("user a@b.example: ", ""),
            ("", " for recipient <a@b.example>"),
        )
        for verdict in VERDICTS
    ]

    assert [sample for sample in said if meaning(sample).type == HARD] == []


@pytest.mark.parametrize(
    ("sample", "bounce_code"),
    [
        ("451 4.3.0 Internal error", 20),
        ("550 5.3.0 Internal error", 40),
        ("450 Rate limit exceeded", 70),
        ("550 Rate limit exceeded", 20),
    ],
)
def test_the_same_words_have_another_bounce_code_for_now_and_for_good(
    sample: str, bounce_code: int
) -> None:
    assert meaning(sample).bounce_code == bounce_code


def test_all_patterns_but_one_have_words_by_which_they_are_found() -> None:
    """RE2's automaton knows words of three letters and more; others are searched for in each reply."""
    options = re2.Options()
    options.case_sensitive = False
    found = []
    for pattern in {each for rule in QUALIFIER.catalogue.rules for each in (*rule.text, *rule.unless)}:
        alone = re2.Filter()
        alone.Add(pattern, options)
        alone.Add("flurble", options)  # a filter without any word finds nothing at all
        alone.Compile()
        found += [pattern] if 0 in (alone.Match("gribbly", True) or ()) else []

    assert found == [r"\bip\b"]


def test_patterns_are_lines_that_can_be_read_and_compared() -> None:
    """What was said by others, samples and sources, stays in one piece."""
    long = [
        f"{name}: {line}"
        for name, content in shipped_files()
        for line in content.decode().splitlines()
        if len(line) > 108 and not line.lstrip().startswith(('"', "source", "#"))
    ]

    assert long == []
