"""A row becomes a rule that does what the row does."""

import pytest

from emta.bounce.v1.qualification_pb2 import BounceCode, FailureReason, FailureType
from emta.bounce.v1.qualifications_service_pb2 import QualificationEdit, QualificationRow, SiteCount
from emta.cli.override import override
from services.bounce.catalogue.catalogue import load, parse, shipped_files
from services.bounce.catalogue.check import complaints
from services.bounce.qualify import Qualifier
from services.bounce.rows import edit
from tests.unit.bounce.rules import reply

RULES = Qualifier(load())
HARD = QualificationEdit(
    type=FailureType.FAILURE_TYPE_HARD, reason=FailureReason.FAILURE_REASON_USER_UNKNOWN
)


def row_of(sample: str, said: QualificationEdit | None = None) -> QualificationRow:
    facts = RULES.answer(reply(sample)).row
    return QualificationRow(
        normalized_md5=facts.md5,
        normalized_text=facts.text,
        code=facts.code,
        enhanced_code=facts.enhanced,
        occurrences=1_234,
        sites=[SiteCount(site="odd.example", occurrences=1_234)],
        in_force=edit.in_force(facts.md5, said, facts.by_rules, facts.code),
    )


@pytest.mark.parametrize(
    "sample",
    [
        "550 5.9.9 <anna@shop.example> flurbled (id 4F2B81C0A2) at 12:30 by 192.0.2.1",
        '550 it\'s "quoted" and [bracketed] $5 ^C.*|{2} \\d',
        "550 5.1.1 Utilisateur étrangement absent, 用户 flurble",
        "550 " + "flurbling words " * 60,
        "flurble without any code",
        "550 'flurble' \\n 'gribble'",
    ],
)
def test_the_rule_takes_what_the_row_was_made_of(sample: str) -> None:
    text = override(row_of(sample, HARD))

    assert text is not None
    catalogue = parse(shipped_files(), [("ours.toml", text.encode())])
    assert complaints(catalogue, catalogue.rules[: catalogue.overrides]) == []
    meaning = Qualifier(catalogue).answer(reply(sample)).meaning
    assert meaning.rule_id == catalogue.rules[0].id
    assert meaning.type == FailureType.FAILURE_TYPE_HARD
    assert meaning.reason == FailureReason.FAILURE_REASON_USER_UNKNOWN
    assert meaning.bounce_code == BounceCode.BOUNCE_CODE_INVALID_RECIPIENT
    assert Qualifier(catalogue).answer(reply("550 5.9.9 gribble")).meaning.rule_id != meaning.rule_id


def test_the_rule_of_a_cluster_takes_all_texts_that_are_like_it() -> None:
    text = override(row_of("550 Sorry, anna is flurbled away", HARD), "550 Sorry, ... is flurbled ...")

    assert text is not None
    catalogue = parse(shipped_files(), [("ours.toml", text.encode())])
    assert complaints(catalogue, catalogue.rules[: catalogue.overrides]) == []
    for like in ("anna is flurbled away", "ben van dam is flurbled since long", "is flurbled now"):
        assert Qualifier(catalogue).answer(reply(f"550 Sorry, {like}")).meaning.rule_id.startswith("ours.")


def test_a_text_that_nobody_has_qualified_asks_for_its_meaning() -> None:
    text = override(row_of("550 flurble"))

    assert text is not None
    assert "Nobody has said what it means" in text
    assert "bounce_code = 1\n" in text
    assert "1,234 times" in text


def test_a_text_without_words_makes_no_rule() -> None:
    assert override(row_of("550 5.9.9 1234567890")) is None
