"""Answers that are remembered are the answers that would have been computed."""

import random

import pytest

from emta.bounce.v1.bounce_service_pb2 import QualifyRepliesResponse
from emta.bounce.v1.qualification_pb2 import BounceCode, Disposition, FailureType
from services.bounce.catalogue.catalogue import load, sample_reply
from services.bounce.qualify import Qualifier, qualify
from tests.unit.bounce.rules import REST, catalogue, reply, rule


def test_replies_that_differ_in_variable_parts_get_one_answer() -> None:
    qualifier = Qualifier(load())

    first = qualifier.answer(reply("[rcpt] 550 5.1.1 <a@shop.example>: User unknown (4F2B81C0A2)"))
    second = qualifier.answer(reply("[rcpt] 550 5.1.1 <b@shop.example>: User unknown (7A1C99D0E3)"))

    assert first is second
    assert first.meaning.type == FailureType.FAILURE_TYPE_HARD
    assert "@" not in first.meaning.normalized_text


@pytest.mark.parametrize(
    "text",
    [
        "550 5.1.1 No mailbox for {name}@shop.example",
        '550 5.1.1 No mailbox for "{name} x"@shop.example',
        "550 5.1.1 No mailbox for <{name} at shop.example>",
        "550 5.1.1 No mailbox, see https://shop.example/?q={name}%40shop.example",
        "550 5.1.1 No mailbox for d'{name}@shop.example",
    ],
)
def test_texts_that_differ_in_an_address_are_one_row_without_it(text: str) -> None:
    qualifier = Qualifier(load())

    first, second = (qualifier.answer(reply(text.format(name=name))) for name in ("anna", "o.ben-gurion"))

    assert first is second
    assert "anna" not in first.meaning.normalized_text


def test_what_rules_ask_for_is_never_mixed_up() -> None:
    qualifier = Qualifier(load())
    samples = [sample for each in qualifier.catalogue.rules for sample in each.samples]

    for sample in random.Random(4).choices(samples, k=2_000):
        one = sample_reply(sample)
        assert qualifier.answer(one).meaning == qualify(qualifier.catalogue, one)


def test_an_encoded_answer_is_a_response_with_one_result() -> None:
    qualifier = Qualifier(load())
    answers = [qualifier.answer(reply(text)) for text in ("550 5.1.1 User unknown", "421 too busy")]

    response = QualifyRepliesResponse.FromString(b"".join(answer.encoded for answer in answers))

    assert [result.qualification for result in response.results] == [answer.meaning for answer in answers]


def test_each_reply_has_the_wait_that_it_states() -> None:
    qualifier = Qualifier(load())
    waits = []

    for text in ("in 300 seconds", "in 5 minutes", "in 20 seconds", "later"):
        answer = qualifier.answer(reply(f"450 4.2.0 Greylisted, try again {text}"))
        shown = QualifyRepliesResponse.FromString(answer.encoded).results[0].qualification
        assert shown == answer.meaning
        waits.append(answer.meaning.wait_hint.seconds if answer.meaning.HasField("wait_hint") else None)

    assert waits == [300, 300, 20, None]


def test_a_rule_hints_at_a_wait_where_the_reply_states_none() -> None:
    busy = rule("busy", bounce_code=70, text="busy", wait="15min", samples=["450 busy"])
    qualifier = Qualifier(catalogue(busy, REST))

    assert qualifier.answer(reply("450 busy")).meaning.wait_hint.seconds == 900
    assert qualifier.answer(reply("450 busy, come back in 60 seconds")).meaning.wait_hint.seconds == 60


def test_a_final_refusal_hints_at_no_wait() -> None:
    final = rule("block", bounce_code=50, text="blocked", wait="2h", samples=["550 blocked"])
    answer = Qualifier(catalogue(final, REST)).answer(reply("550 blocked, try again in 60 seconds"))

    assert answer.meaning.disposition == Disposition.DISPOSITION_FINAL
    assert not answer.meaning.HasField("wait_hint")


def test_a_temporary_refusal_is_never_hard() -> None:
    meaning = qualify(catalogue(rule("unknown", text="unknown"), REST), reply("450 user unknown"))

    assert meaning.bounce_code == BounceCode.BOUNCE_CODE_INVALID_RECIPIENT
    assert meaning.type == FailureType.FAILURE_TYPE_SOFT


def test_a_reply_without_any_code_counts_as_final() -> None:
    rules = catalogue(rule("unknown", codes=["5"], text="unknown"), REST)

    quoted = qualify(rules, reply("user unknown"))
    temporary = qualify(rules, reply("4.1.1 user unknown"))

    assert (quoted.rule_id, quoted.type) == ("unknown", FailureType.FAILURE_TYPE_HARD)
    assert quoted.disposition == Disposition.DISPOSITION_FINAL
    assert temporary.rule_id == "rest"


def test_only_so_many_answers_are_remembered() -> None:
    qualifier = Qualifier(load(), remembered=10)

    for number in range(100):
        qualifier.answer(reply(f"550 {'x' * number} flurble"))

    assert qualifier.remembered == 10
