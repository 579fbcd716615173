"""Which failures a filter means."""

from __future__ import annotations

from typing import Any

import pytest

from emta.bounce.v1.smtp_reply_pb2 import SmtpReply
from emta.feedback.v1.log_pb2 import LogEntry
from emta.feedback.v1.requalify_service_pb2 import OutcomeFilter as Told
from emta.problems import Problem
from services.feedback.outcome_filter import OutcomeFilter
from services.feedback.store.ledger import HOUR_MS, FailedMessage

FROM_MS, TO_MS = 10 * HOUR_MS, 12 * HOUR_MS
GMAIL = (
    "The email account that you tried to reach does not exist. Please try\ndouble-checking <a@b.example>"
)


def told(**fields: Any) -> Told:
    wanted = Told(**fields)
    wanted.from_time.FromMilliseconds(FROM_MS)
    wanted.to_time.FromMilliseconds(TO_MS)
    return wanted


def entry(at_ms: int = FROM_MS, **fields: Any) -> LogEntry:
    reply = SmtpReply(code=550, enhanced_code="5.1.1", text=GMAIL, mx_host="gmail-smtp-in.l.google.com")
    row = LogEntry(last_reply=reply, bounce_code=10, rule_id="generic.user-unknown", **fields)
    row.final_time.FromMilliseconds(at_ms)
    return row


@pytest.mark.parametrize(
    "text",
    [
        "account that you tried",
        "550 5.1.1 the EMAIL account",
        "email account * does not exist",
        "please try double-checking",  # over the line end
        "*reach*",
    ],
)
def test_a_text_is_found_in_any_case_over_line_ends_and_with_wildcards(text: str) -> None:
    assert OutcomeFilter(told(text=text)).matches(entry())


@pytest.mark.parametrize("text", ["mailbox full", "does not exist * email account", "550 5.2.2"])
def test_another_text_is_not_found(text: str) -> None:
    assert not OutcomeFilter(told(text=text)).matches(entry())


def test_the_normalised_text_is_searched_where_the_raw_one_is_gone() -> None:
    row = LogEntry(normalized_text="550 5.1.1 <*> recipient rejected")
    row.final_time.FromMilliseconds(FROM_MS)

    assert OutcomeFilter(told(text="recipient rejected")).matches(row)


@pytest.mark.parametrize(
    ("fields", "matches"),
    [
        ({"mx_hosts": ["*.google.com"]}, True),
        ({"mx_hosts": ["*.Google.com."]}, True),
        ({"mx_hosts": ["gmail-smtp-in.l.google.com"]}, True),
        ({"mx_hosts": ["google.com"]}, False),
        ({"mx_hosts": ["*.le.com"]}, False),
        ({"bounce_codes": [22, 10]}, True),
        ({"bounce_codes": [22]}, False),
        ({"rule_ids": ["generic.user-unknown"]}, True),
        ({"rule_ids": ["generic"]}, False),
        ({"mx_hosts": ["*.google.com"], "bounce_codes": [22]}, False),
    ],
)
def test_all_fields_must_match_and_one_of_each_list(fields: dict[str, Any], matches: bool) -> None:
    assert OutcomeFilter(told(**fields)).matches(entry()) is matches


@pytest.mark.parametrize(
    ("at_ms", "matches"), [(FROM_MS - 1, False), (FROM_MS, True), (TO_MS - 1, True), (TO_MS, False)]
)
def test_the_window_holds_its_beginning_and_not_its_end(at_ms: int, matches: bool) -> None:
    assert OutcomeFilter(told(text="account")).matches(entry(at_ms)) is matches


def test_only_the_hours_of_the_window_are_searched() -> None:
    assert list(OutcomeFilter(told(text="x")).hours) == [10, 11]


def test_domain_and_delivery_are_told_by_the_index() -> None:
    failed = FailedMessage(1, "gmail.com", 1, "d1", "m1")

    assert OutcomeFilter(told(domains=["GMAIL.com"])).may_match(failed)
    assert not OutcomeFilter(told(domains=["mail.com"])).may_match(failed)
    assert OutcomeFilter(told(delivery_id="d1")).may_match(failed)
    assert not OutcomeFilter(told(delivery_id="d2", domains=["gmail.com"])).may_match(failed)


@pytest.mark.parametrize("name", ["STRASSE.b\u00fccher.example", "strasse.xn--bcher-kva.example."])
def test_a_domain_is_found_in_any_alphabet(name: str) -> None:
    failed = FailedMessage(1, "strasse.xn--bcher-kva.example", 1, "d1", "m1")

    assert OutcomeFilter(told(domains=[name])).may_match(failed)


def test_a_domain_is_that_of_idna_2008() -> None:
    """To IDNA 2003, which Python's own codec has, it is strasse.example: somebody else."""
    wanted = OutcomeFilter(told(domains=["stra\u00dfe.example"]))

    assert wanted.may_match(FailedMessage(1, "xn--strae-oqa.example", 1, "d1", "m1"))
    assert not wanted.may_match(FailedMessage(1, "strasse.example", 1, "d1", "m1"))


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({}, "filter", "FILTER_EMPTY"),
        ({"text": "x" * 257}, "filter.text", "FILTER_INVALID"),
        ({"text": " * "}, "filter.text", "FILTER_INVALID"),
        ({"domains": ["a.example"] * 101}, "filter.domains", "FILTER_INVALID"),
        ({"domains": [""]}, "filter.domains", "FILTER_INVALID"),
        ({"domains": ["*.example"]}, "filter.domains", "FILTER_INVALID"),
        ({"domains": ["a..example"]}, "filter.domains", "FILTER_INVALID"),
        ({"domains": ["a@b.example"]}, "filter.domains", "FILTER_INVALID"),
        ({"domains": ["\u2603\u200d.example"]}, "filter.domains", "FILTER_INVALID"),
        ({"mx_hosts": ["mx*.example"]}, "filter.mx_hosts", "FILTER_INVALID"),
        ({"mx_hosts": ["*."]}, "filter.mx_hosts", "FILTER_INVALID"),
        ({"bounce_codes": [11]}, "filter.bounce_codes", "FILTER_INVALID"),
        ({"bounce_codes": [0]}, "filter.bounce_codes", "FILTER_INVALID"),
        ({"delivery_id": "a b"}, "delivery_id", "DELIVERY_ID_INVALID"),
    ],
)
def test_a_filter_that_means_nothing_is_refused(fields: dict[str, Any], field: str, reason: str) -> None:
    with pytest.raises(Problem) as caught:
        OutcomeFilter(told(**fields))

    assert (caught.value.field, caught.value.reason) == (field, reason)


@pytest.mark.parametrize("to_ms", [FROM_MS, FROM_MS - 1, FROM_MS + 32 * 24 * HOUR_MS])
def test_a_window_without_length_or_too_long_is_refused(to_ms: int) -> None:
    wanted = told(text="x")
    wanted.to_time.FromMilliseconds(to_ms)

    with pytest.raises(Problem) as caught:
        OutcomeFilter(wanted)

    assert caught.value.reason == "WINDOW_INVALID"


@pytest.mark.parametrize("end", ["from_time", "to_time"])
def test_times_that_are_none_are_refused(end: str) -> None:
    wanted = told(text="x")
    getattr(wanted, end).seconds = 10**15

    with pytest.raises(Problem) as caught:
        OutcomeFilter(wanted)

    assert caught.value.reason == "WINDOW_INVALID"
