"""What an operator says, and what it makes of a reply."""

from emta.bounce.v1.qualification_pb2 import BounceCode, Disposition, FailureReason, FailureType
from emta.bounce.v1.qualifications_service_pb2 import QualificationEdit, QualificationStatus
from services.bounce.catalogue.catalogue import load
from services.bounce.qualify import Qualifier
from services.bounce.rows import edit
from tests.unit.bounce.rules import reply

CATALOGUE = load()
HARD, SOFT = FailureType.FAILURE_TYPE_HARD, FailureType.FAILURE_TYPE_SOFT
IGNORED = FailureType.FAILURE_TYPE_IGNORED
FINAL, LATER = Disposition.DISPOSITION_FINAL, Disposition.DISPOSITION_RETRY_LATER
UNKNOWN = FailureReason.FAILURE_REASON_USER_UNKNOWN
FULL = FailureReason.FAILURE_REASON_MAILBOX_FULL


def edited(sample: str, said: QualificationEdit) -> Qualifier:
    md5 = Qualifier(CATALOGUE).answer(reply(sample)).row.md5
    return Qualifier(CATALOGUE, {md5: said})


def test_the_code_that_stands_for_a_reason_is_taken_where_none_is_said() -> None:
    meaning = (
        edited("550 flurble", QualificationEdit(type=SOFT, reason=FULL))
        .answer(reply("550 flurble"))
        .meaning
    )

    assert (meaning.bounce_code, meaning.disposition) == (BounceCode.BOUNCE_CODE_MAILBOX_FULL, LATER)


def test_the_rules_code_stays_where_their_reason_stays() -> None:
    sample = "[dot] 554 5.7.1 Message rejected as spam by content filter"
    before = Qualifier(CATALOGUE).answer(reply(sample)).meaning
    meaning = (
        edited(sample, QualificationEdit(type=SOFT, reason=before.reason)).answer(reply(sample)).meaning
    )

    assert (meaning.type, meaning.bounce_code, meaning.cause) == (SOFT, before.bounce_code, before.cause)
    assert before.type == IGNORED


def test_hard_is_final() -> None:
    """A mailbox that is full is tried again; one that does not exist is not, whatever its code says."""
    said = QualificationEdit(type=HARD, reason=UNKNOWN, bounce_code=BounceCode.BOUNCE_CODE_MAILBOX_FULL)
    meaning = edited("552 5.2.2 Mailbox full", said).answer(reply("552 5.2.2 Mailbox full")).meaning

    assert meaning.disposition == FINAL


def test_a_final_meaning_hints_at_no_wait() -> None:
    sample = "450 4.2.0 flurble, try again in 300 seconds"
    said = QualificationEdit(type=SOFT, reason=FULL, disposition=FINAL)

    assert Qualifier(CATALOGUE).answer(reply(sample)).meaning.HasField("wait_hint")
    assert not edited(sample, said).answer(reply(sample)).meaning.HasField("wait_hint")


def test_the_rules_own_answer_is_never_changed() -> None:
    qualifier = edited("550 flurble", QualificationEdit(type=HARD, reason=UNKNOWN))
    row = qualifier.answer(reply("550 flurble")).row

    assert row.by_rules.rule_id == "undetermined"
    assert row.by_rules.type == FailureType.FAILURE_TYPE_NOT_DEFINED


def test_only_kept_and_ignored_rows_decide() -> None:
    said = QualificationEdit(type=HARD, reason=UNKNOWN)
    status = QualificationStatus

    assert edit.deciding(status.QUALIFICATION_STATUS_TO_QUALIFY, said) is None
    assert edit.deciding(status.QUALIFICATION_STATUS_KEEP, None) is None
    assert edit.deciding(status.QUALIFICATION_STATUS_KEEP, said) == said
    assert edit.deciding(status.QUALIFICATION_STATUS_IGNORE, None) == QualificationEdit(type=IGNORED)


def test_equal_edits_have_equal_versions_whatever_their_order() -> None:
    one, two = QualificationEdit(type=HARD, reason=UNKNOWN), QualificationEdit(type=SOFT, reason=FULL)

    assert edit.version("r", {}) == "r"
    assert edit.version("r", {"a": one, "b": two}) == edit.version("r", {"b": two, "a": one})
    versions = {edit.version("r", each) for each in ({"a": one}, {"a": two}, {"b": one}, {})}
    assert len(versions | {edit.version("s", {"a": one})}) == 5
