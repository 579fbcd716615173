"""What an operator says of a text decides from then on, at every replica."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from itertools import islice, product
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from emta.bounce.v1.qualification_pb2 import BounceCode, Disposition, FailureReason, FailureType
from emta.bounce.v1.qualifications_service_pb2 import (
    QualificationEdit,
    QualificationRow,
    QualificationStatus,
)
from emta.problems import Problem
from emta.qualifications import latest
from tests.integration.bounce.replicas import Replica, replica
from tests.support import valkey
from tests.support.clock import ManualClock
from tests.support.eventually import eventually

TO_QUALIFY = QualificationStatus.QUALIFICATION_STATUS_TO_QUALIFY
KEEP = QualificationStatus.QUALIFICATION_STATUS_KEEP
IGNORE = QualificationStatus.QUALIFICATION_STATUS_IGNORE
HARD, SOFT = FailureType.FAILURE_TYPE_HARD, FailureType.FAILURE_TYPE_SOFT
IGNORED, NOT_DEFINED = FailureType.FAILURE_TYPE_IGNORED, FailureType.FAILURE_TYPE_NOT_DEFINED
UNKNOWN = FailureReason.FAILURE_REASON_USER_UNKNOWN
FULL = FailureReason.FAILURE_REASON_MAILBOX_FULL
REFUSED = FailureReason.FAILURE_REASON_REFUSED
FINAL, RETRY = Disposition.DISPOSITION_FINAL, Disposition.DISPOSITION_RETRY
STRANGE = "[rcpt unspecified mx1.odd.example] 550 flurble"
USER_UNKNOWN = QualificationEdit(type=HARD, reason=UNKNOWN)


@pytest.fixture
async def bounce(environ: dict[str, str], clock: ManualClock) -> AsyncIterator[Replica]:
    async with replica(environ, clock) as running:
        yield running


async def seen(bounce: Replica, sample: str = STRANGE) -> str:
    """Have a text counted; gives its MD5."""
    md5 = (await bounce.qualify(sample)).normalized_md5
    await bounce.counted(md5)
    return md5


async def put(
    bounce: Replica, md5: str, edit: QualificationEdit | None = None, **fields: Any
) -> QualificationRow:
    """Say what a text means."""
    (row,) = await bounce.qualifications.set(
        [md5], **{"edit": edit, "status": KEEP, "actor": "anna", "comment": "asked them", **fields}
    )
    return row


async def test_an_edit_decides_from_then_on_and_its_answer_names_the_row(bounce: Replica) -> None:
    before = await bounce.answer(STRANGE)
    md5 = await seen(bounce)

    row = await put(bounce, md5, USER_UNKNOWN)
    after = await bounce.answer(STRANGE, "[rcpt] 550 gribble")

    meaning = after.results[0].qualification
    assert (meaning.type, meaning.reason, meaning.campaign_reason) == (HARD, UNKNOWN, 1)
    assert (meaning.bounce_code, meaning.disposition) == (BounceCode.BOUNCE_CODE_INVALID_RECIPIENT, FINAL)
    assert meaning.rule_id == f"row:{md5}"
    assert row.in_force == meaning
    assert row.by_rules.rule_id == "undetermined"
    assert (row.status, row.actor, row.comment) == (KEEP, "anna", "asked them")
    assert row.modify_time.ToMilliseconds() == bounce.clock.now_ms()
    assert after.results[1].qualification.type == NOT_DEFINED
    assert before.rules_version != after.rules_version


async def test_rule_18_a_row_set_to_ignore_makes_its_text_ignored(bounce: Replica) -> None:
    """Whatever it comes by: a bounce mail has neither phase nor server."""
    sample = "550 5.1.1 User unknown"
    md5 = await seen(bounce, f"[rcpt unspecified mx1.odd.example] {sample}")
    assert (await bounce.qualify(sample)).type == HARD

    await put(bounce, md5, status=IGNORE)

    for text in (sample, f"[rcpt unspecified mx1.odd.example] {sample}"):
        meaning = await bounce.qualify(text)
        assert meaning.normalized_md5 == md5
        assert (meaning.type, meaning.reason) == (IGNORED, UNKNOWN)
        assert meaning.disposition == FINAL


async def test_an_ignored_text_that_nobody_knew_is_error_ignored(bounce: Replica) -> None:
    row = await put(bounce, await seen(bounce), status=IGNORE)

    assert (row.in_force.type, row.in_force.campaign_reason) == (IGNORED, 25)
    assert row.in_force.bounce_code == BounceCode.BOUNCE_CODE_UNDETERMINED


async def test_a_temporary_refusal_is_never_hard(bounce: Replica) -> None:
    md5 = await seen(bounce, "[rcpt] 450 flurble")

    await put(bounce, md5, USER_UNKNOWN)

    meaning = await bounce.qualify("[rcpt] 450 flurble")
    assert (meaning.type, meaning.reason, meaning.disposition) == (SOFT, UNKNOWN, RETRY)


async def test_code_and_disposition_may_be_said_too(bounce: Replica) -> None:
    md5 = await seen(bounce)
    edit = QualificationEdit(
        type=SOFT, reason=FULL, bounce_code=BounceCode.BOUNCE_CODE_SOFT_BOUNCE, disposition=RETRY
    )

    meaning = (await put(bounce, md5, edit)).in_force

    assert (meaning.type, meaning.bounce_code, meaning.disposition) == (SOFT, 20, RETRY)


async def test_what_was_said_can_be_taken_back(bounce: Replica) -> None:
    md5 = await seen(bounce)
    versions = [(await bounce.answer(STRANGE)).rules_version]
    await put(bounce, md5, USER_UNKNOWN)
    versions.append((await bounce.answer(STRANGE)).rules_version)

    row = await put(bounce, md5, status=TO_QUALIFY)

    versions.append((await bounce.answer(STRANGE)).rules_version)
    assert (row.status, row.in_force.type, row.HasField("edit")) == (TO_QUALIFY, NOT_DEFINED, False)
    assert (await bounce.qualify(STRANGE)).type == NOT_DEFINED
    # Equal rules, equal edits: an equal version.
    assert versions[0] == versions[2] != versions[1]


async def test_keep_needs_somebody_who_knows_the_text(bounce: Replica) -> None:
    """Else the row would leave the list of what is to be qualified, and still mean nothing."""
    unknown, known = await seen(bounce), await seen(bounce, "[rcpt] 550 5.1.1 User unknown")

    with pytest.raises(Problem) as caught:
        await bounce.qualifications.set([known, unknown], status=KEEP, actor="anna")

    assert (caught.value.code.name, caught.value.reason) == ("FAILED_PRECONDITION", "MEANING_UNKNOWN")
    assert unknown in caught.value.message
    rows = [await bounce.qualifications.get(md5) for md5 in (unknown, known)]
    assert [(row.status, row.actor) for row in rows] == [(TO_QUALIFY, ""), (KEEP, "")]
    assert (await put(bounce, known)).status == KEEP
    await put(bounce, unknown, status=IGNORE)
    with pytest.raises(Problem, match=unknown):
        await put(bounce, unknown)


async def test_keep_on_an_edited_row_keeps_the_edit(bounce: Replica) -> None:
    md5 = await seen(bounce)
    await put(bounce, md5, USER_UNKNOWN)

    row = await put(bounce, md5, actor="bert", comment="me too")

    assert (row.edit, row.actor, row.comment) == (USER_UNKNOWN, "bert", "me too")
    assert (await bounce.qualify(STRANGE)).type == row.in_force.type == HARD


async def test_what_another_has_set_since_it_was_seen_is_refused(bounce: Replica) -> None:
    one, other = await seen(bounce), await seen(bounce, "[rcpt] 550 gribble")
    untouched = latest([await bounce.qualifications.get(one)])
    bounce.clock.advance(1)
    set_by_anna = await put(bounce, one, USER_UNKNOWN, seen_time=untouched)
    bounce.clock.advance(1)

    with pytest.raises(Problem) as caught:
        await bounce.qualifications.set([other, one], status=IGNORE, actor="bert", seen_time=untouched)

    assert (caught.value.code.name, caught.value.reason) == ("FAILED_PRECONDITION", "QUALIFICATION_CHANGED")
    assert one in caught.value.message
    rows = [await bounce.qualifications.get(md5) for md5 in (one, other)]
    assert [(row.status, row.actor) for row in rows] == [(KEEP, "anna"), (TO_QUALIFY, "")]
    row = await put(bounce, one, status=IGNORE, actor="bert", seen_time=latest([set_by_anna]))
    assert (row.status, row.actor) == (IGNORE, "bert")
    # Who does not say what he has seen has the last word.
    assert (await put(bounce, one, USER_UNKNOWN)).status == KEEP


async def test_another_replica_follows_within_seconds(environ: dict[str, str], clock: ManualClock) -> None:
    async with replica(environ, clock) as one, replica(environ, clock) as other:
        md5 = await seen(one)
        assert (await other.qualify(STRANGE)).type == NOT_DEFINED
        await put(one, md5, USER_UNKNOWN)
        clock.advance(5)

        async def follows() -> bool:
            clock.advance(1)
            return (await other.qualify(STRANGE)).type == HARD

        await eventually(follows, "the other replica to follow")
        assert (await one.answer(STRANGE)) == (await other.answer(STRANGE))

    # And one that starts later has it before it answers anybody.
    async with replica(environ, clock) as late:
        assert (await late.qualify(STRANGE)).rule_id == f"row:{md5}"


async def test_edits_and_overrides_live_together(
    environ: dict[str, str], clock: ManualClock, tmp_path: Path
) -> None:
    environ["EMTA_BOUNCE_RULES"] = str(tmp_path)
    async with replica(environ, clock) as bounce:
        md5 = await seen(bounce)
        await put(bounce, md5, USER_UNKNOWN)
        version = (await bounce.answer(STRANGE)).rules_version
        (tmp_path / "ours.toml").write_text('disabled = ["text.spam-content"]\n')

        async def reloaded() -> bool:
            clock.advance(1)
            return (await bounce.answer(STRANGE)).rules_version != version

        await eventually(reloaded, "the overrides to be in force")
        assert (await bounce.qualify(STRANGE)).rule_id == f"row:{md5}"


async def test_a_store_that_is_away_costs_no_answer_and_no_edit(
    environ: dict[str, str], clock: ManualClock, tmp_path: Path
) -> None:
    async with valkey.server(tmp_path / "store") as server:
        environ["EMTA_BOUNCE_REDIS_URL"] = server.url
        environ["EMTA_BOUNCE_STORE_TIMEOUT_SECONDS"] = "0.3"
        async with replica(environ, clock) as bounce:
            md5 = await seen(bounce)
            await put(bounce, md5, USER_UNKNOWN)
            server.process.send_signal(signal.SIGSTOP)
            for _ in range(20):
                clock.advance(1)
                assert (await bounce.qualify(STRANGE)).type == HARD
            with pytest.raises(Problem) as caught:
                await bounce.qualifications.get(md5)
            assert caught.value.reason == "STORE_UNAVAILABLE"

            server.process.send_signal(signal.SIGCONT)

            # Exactly: a batch whose answer was lost is counted once.
            row = await bounce.counted(md5, 21)
            clock.advance(5)
            await bounce.qualify(STRANGE)
            assert (await bounce.counted(md5, 22)).occurrences == row.occurrences + 1 == 22


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        ({"edit": QualificationEdit(type=HARD, reason=FULL)}, "TYPE_REASON_INVALID", "edit.reason"),
        ({"edit": QualificationEdit(type=HARD, reason=REFUSED)}, "TYPE_REASON_INVALID", "edit.reason"),
        ({"edit": QualificationEdit(type=NOT_DEFINED, reason=FULL)}, "TYPE_REASON_INVALID", "edit.reason"),
        ({"edit": QualificationEdit(reason=FULL)}, "TYPE_INVALID", "edit.type"),
        ({"edit": QualificationEdit(type=9, reason=FULL)}, "TYPE_INVALID", "edit.type"),  # type: ignore[arg-type]
        ({"edit": QualificationEdit(type=SOFT)}, "REASON_INVALID", "edit.reason"),
        (
            {"edit": QualificationEdit(type=SOFT, reason=FailureReason.FAILURE_REASON_DENYLISTED)},
            "REASON_INVALID",
            "edit.reason",
        ),
        (
            {"edit": QualificationEdit(type=SOFT, reason=FULL, bounce_code=80)},  # type: ignore[arg-type]
            "BOUNCE_CODE_INVALID",
            "edit.bounce_code",
        ),
        (
            {"edit": QualificationEdit(type=SOFT, reason=FULL, disposition=9)},  # type: ignore[arg-type]
            "DISPOSITION_INVALID",
            "edit.disposition",
        ),
        (
            {"edit": QualificationEdit(type=HARD, reason=UNKNOWN, disposition=RETRY)},
            "DISPOSITION_INVALID",
            "edit.disposition",
        ),
        ({"edit": USER_UNKNOWN, "status": IGNORE}, "TYPE_INVALID", "edit.type"),
        ({"edit": USER_UNKNOWN, "status": TO_QUALIFY}, "STATUS_INVALID", "edit"),
        ({"status": QualificationStatus.QUALIFICATION_STATUS_UNSPECIFIED}, "STATUS_INVALID", "status"),
        ({"status": 9}, "STATUS_INVALID", "status"),
        ({"actor": " "}, "ACTOR_INVALID", "actor"),
        ({"comment": "x" * 1_001}, "COMMENT_INVALID", "comment"),
        ({"seen_time": Timestamp(nanos=-1)}, "TIME_INVALID", "seen_time"),
    ],
)
async def test_what_cannot_be_meant_is_refused(
    bounce: Replica, fields: dict[str, Any], reason: str, field: str
) -> None:
    md5 = await seen(bounce)

    with pytest.raises(Problem) as caught:
        await put(bounce, md5, **fields)

    assert (caught.value.reason, caught.value.field) == (reason, field)
    assert not (await bounce.qualifications.get(md5)).actor


async def test_a_cluster_is_shown_together_and_set_together(bounce: Replica) -> None:
    people = ("anna", "ben", "carla")
    texts = [f"[rcpt] 550 Sorry {name} does not frequent this establishment" for name in people]
    await bounce.answer(*texts, *texts, STRANGE)
    for text in texts:
        await seen(bounce, text)

    found = await bounce.qualifications.clusters()

    first, second = found.clusters
    assert first.template == "550 Sorry ... does not frequent this establishment"
    assert (len(first.normalized_md5s), first.occurrences, second.template) == (3, 9, "550 flurble")
    rows = await bounce.qualifications.set(
        [*first.normalized_md5s, "0" * 32], status=KEEP, edit=USER_UNKNOWN, actor="anna"
    )
    assert [row.normalized_md5 for row in rows] == list(first.normalized_md5s)
    assert {(await bounce.qualify(text)).type for text in texts} == {HARD}
    assert [each.template for each in (await bounce.qualifications.clusters()).clusters] == ["550 flurble"]


async def test_a_cluster_of_any_size_is_set(bounce: Replica) -> None:
    names = list(islice(map("".join, product(ascii_lowercase, repeat=4)), 1_050))
    texts = [f"[rcpt] 550 Sorry {name} does not frequent this establishment" for name in names]
    for some in (texts[:525], texts[525:]):
        await bounce.answer(*some)

    async def together() -> list[str] | None:
        bounce.clock.advance(1)
        clusters = (await bounce.qualifications.clusters()).clusters
        found = list(clusters[0].normalized_md5s) if clusters else []
        return found if len(found) == len(texts) else None

    md5s = await eventually(together, "the cluster")
    rows = await bounce.qualifications.set(md5s, status=KEEP, edit=USER_UNKNOWN, actor="anna")

    assert len(rows) == len(texts)
    assert not (await bounce.qualifications.clusters()).clusters
