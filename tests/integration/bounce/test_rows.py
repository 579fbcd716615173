"""Every text that receivers answer with has a row, and its row counts it (contract 5.1)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from redis.asyncio import Redis

from emta.bounce.v1.bounce_service_pb2 import QualifyRepliesItem, QualifyRepliesRequest
from emta.bounce.v1.qualification_pb2 import BounceCode
from emta.bounce.v1.qualifications_service_pb2 import QualificationStatus
from emta.bounce.v1.smtp_reply_pb2 import SmtpReply
from emta.problems import Problem
from services.bounce.catalogue.catalogue import load
from services.bounce.qualify import Qualifier
from services.bounce.reply import normalize
from services.bounce.rows.counting import Counting
from services.bounce.rows.tally import Tally
from services.bounce.store.rows import RowStore
from tests.integration.bounce.replicas import Replica, replica
from tests.support.clock import ManualClock
from tests.unit.bounce.rules import reply

TO_QUALIFY = QualificationStatus.QUALIFICATION_STATUS_TO_QUALIFY
KEEP = QualificationStatus.QUALIFICATION_STATUS_KEEP
IGNORE = QualificationStatus.QUALIFICATION_STATUS_IGNORE
STRANGE = "[rcpt unspecified mx1.odd.example] 550 flurble"
DAY = 86_400


def md5(text: str) -> str:
    return normalize.key(text)


@pytest.fixture
async def bounce(environ: dict[str, str], clock: ManualClock) -> AsyncIterator[Replica]:
    async with replica(environ, clock) as running:
        yield running


async def test_rule_16_an_unknown_text_is_to_qualify_and_its_count_stops_at_100_000(
    bounce: Replica,
) -> None:
    meaning = await bounce.qualify(STRANGE)
    assert (meaning.bounce_code, meaning.campaign_reason) == (BounceCode.BOUNCE_CODE_UNDETERMINED, 0)
    row = await bounce.counted(meaning.normalized_md5)
    assert (row.status, row.occurrences) == (TO_QUALIFY, 1)
    await bounce.qualify(STRANGE)
    assert (await bounce.counted(row.normalized_md5, 2)).occurrences == 2

    for _ in range(101):
        await bounce.answer(*[STRANGE] * 1_000)

    row = await bounce.counted(row.normalized_md5, 100_000)
    await bounce.qualify("[rcpt] 550 something else")
    await bounce.counted(md5("550 something else"))
    assert (await bounce.qualifications.get(row.normalized_md5)).occurrences == 100_000
    assert [row.normalized_text async for row in bounce.qualifications.rows(TO_QUALIFY)] == [
        "550 flurble",
        "550 something else",
    ]

    (row,) = await bounce.qualifications.set([row.normalized_md5], actor="anna", reset_occurrences=True)
    assert (row.occurrences, row.final_occurrences, row.cost, row.status) == (0, 0, 0, TO_QUALIFY)


async def test_a_question_counts_on_no_row(bounce: Replica) -> None:
    asked, told = "[rcpt] 550 flurble", "[rcpt] 550 something else"
    question = QualifyRepliesRequest(items=[QualifyRepliesItem(reply=reply(asked))], uncounted=True)
    (result,) = (await bounce.bounce.QualifyReplies(question)).results
    assert result.qualification.normalized_text == "550 flurble"

    await bounce.qualify(told)
    await bounce.counted(md5("550 something else"))

    assert [row.normalized_text async for row in bounce.qualifications.rows()] == ["550 something else"]


async def test_rule_17_texts_that_differ_in_variable_parts_share_a_row(bounce: Replica) -> None:
    first = await bounce.qualify("[rcpt] 550 5.1.1 <a@x.org> is not here, id 4711")
    second = await bounce.qualify("[rcpt] 550 5.1.1 <b@y.org> is not here, id 4812")

    assert first.normalized_text == second.normalized_text == "550 5.1.1 <*> is not here, id #xxx#"
    assert first.normalized_md5 == second.normalized_md5 == md5(first.normalized_text)
    row = await bounce.counted(first.normalized_md5, 2)
    assert row.normalized_text == first.normalized_text
    assert row.first_text == "<a@x.org> is not here, id 4711"


async def test_a_known_text_is_kept_with_the_rule_that_knew_it(bounce: Replica) -> None:
    sample = "[rcpt unspecified aspmx.l.google.com] 550 5.1.1 The email account does not exist"
    meaning = await bounce.qualify(sample)
    row = await bounce.counted(meaning.normalized_md5)

    assert row.status == KEEP
    assert row.by_rules == row.in_force == meaning
    assert (row.code, row.enhanced_code) == (550, "5.1.1")
    assert [(site.site, site.occurrences) for site in row.sites] == [("google.com", 1)]
    assert not row.HasField("modify_time")


async def test_the_first_raw_text_goes_when_its_retention_ends(bounce: Replica) -> None:
    meaning = await bounce.qualify("[rcpt] 550 odd words for <a@x.org>")
    row = await bounce.counted(meaning.normalized_md5)
    created = row.create_time

    bounce.clock.advance(29 * DAY)
    assert (await bounce.qualifications.get(row.normalized_md5)).first_text
    bounce.clock.advance(2 * DAY)
    row = await bounce.qualifications.get(row.normalized_md5)
    assert (row.first_text, row.normalized_text) == ("", "550 odd words for <*>")
    assert row.create_time == created


async def test_the_most_costly_come_first(bounce: Replica) -> None:
    """A loss weighs as much as 25 temporary refusals: so often a message is tried until it is lost."""
    await bounce.answer(*["[rcpt] 450 flurble slowly"] * 20, *["[rcpt] 550 flurble at once"] * 2)
    await bounce.counted(md5("450 flurble slowly"), 20)

    rows = [row async for row in bounce.qualifications.rows()]

    assert [(row.normalized_text, row.final_occurrences, row.cost) for row in rows] == [
        ("550 flurble at once", 2, 2),
        ("450 flurble slowly", 0, pytest.approx(0.8)),
    ]


async def test_rows_are_found_by_status_text_site_and_count(bounce: Replica) -> None:
    await bounce.answer(STRANGE, STRANGE, "[rcpt unspecified mx.other.example] 550 gribble")
    await bounce.answer("[rcpt unspecified mx.other.example] 550 5.1.1 User unknown")
    await bounce.counted(md5("550 5.1.1 User unknown"))

    async def texts(*args: QualificationStatus, **wanted: object) -> list[str]:
        rows = bounce.qualifications.rows(*args, **wanted)  # type: ignore[arg-type]
        return [row.normalized_text async for row in rows]

    assert await texts(KEEP) == ["550 5.1.1 User unknown"]
    assert await texts(TO_QUALIFY) == ["550 flurble", "550 gribble"]
    assert await texts(text="GRIB") == ["550 gribble"]
    assert await texts(TO_QUALIFY, site="other.example") == ["550 gribble"]
    assert await texts(min_occurrences=2) == ["550 flurble"]


async def test_pages_give_every_row_once(bounce: Replica) -> None:
    words = [f"{a}{b}{c}ble" for a in "xyz" for b in "aeiou" for c in "klmnprstv"]
    await bounce.answer(*(f"[rcpt] 550 {word}" for word in words))
    await bounce.counted(md5(f"550 {words[-1]}"))

    found = [row.normalized_text async for row in bounce.qualifications.rows()]

    assert len(words) > 100
    assert sorted(found) == sorted(f"550 {word}" for word in words)


async def test_the_most_frequent_sites_of_a_text_are_shown(bounce: Replica) -> None:
    often = [f"[rcpt unspecified mx.often{n}.example] 550 flurble" for n in range(2)]
    seldom = [f"[rcpt unspecified mx.seldom{n}.example] 550 flurble" for n in range(30)]
    for n in range(3):
        await bounce.answer(*seldom[10 * n : 10 * n + 10], *often * 5)
        row = await bounce.counted(md5("550 flurble"), 20 * (n + 1))

    assert len(row.sites) == 8
    assert {site.site for site in row.sites[:2]} == {"often0.example", "often1.example"}
    assert all(site.occurrences >= 15 for site in row.sites[:2])


async def test_replicas_count_together(environ: dict[str, str], clock: ManualClock) -> None:
    async with replica(environ, clock) as one, replica(environ, clock) as other:
        for _ in range(5):
            await asyncio.gather(*(each.answer(*[STRANGE] * 100) for each in (one, other)))
            clock.advance(1)
        row = await one.counted(md5("550 flurble"), 1_000)

        assert row.occurrences == row.final_occurrences == 1_000
        assert row.sites[0].occurrences == 1_000


async def test_a_clean_stop_loses_no_count(environ: dict[str, str], clock: ManualClock) -> None:
    async with replica(environ, clock) as bounce:
        await bounce.answer(*[STRANGE] * 7)
    async with replica(environ, clock) as bounce:
        assert (await bounce.qualifications.get(md5("550 flurble"))).occurrences == 7


async def test_a_batch_that_is_sent_again_is_counted_once(environ: dict[str, str], store: Redis) -> None:
    tally, rows = Tally(), RowStore(store, 100, 30)
    tally.add(Qualifier(load()).answer(reply(STRANGE)).row, reply(STRANGE))
    batch = tally.take(10)

    for sequence in (1, 1, 2, 1):
        await rows.count("replica", sequence, batch, 1_000)

    (row,) = await rows.rows([md5("550 flurble")], 1_000)
    assert row is not None
    assert row.occurrences == 2


async def test_a_stop_ends_though_its_cancellation_is_swallowed(store: Redis, clock: ManualClock) -> None:
    """Python 3.11's wait_for, in the store client, does so when the answer comes in the same moment."""
    sending = asyncio.Event()

    class Swallowing(RowStore):
        async def count(self, *args: Any) -> int:
            if not sending.is_set():
                sending.set()
                with suppress(asyncio.CancelledError):
                    await asyncio.Event().wait()
            return await super().count(*args)

    rows = Swallowing(store, 100, 30)
    counting = Counting(rows, clock)
    async with asyncio.timeout(20), counting.running():
        counting.count(Qualifier(load()).answer(reply(STRANGE)), reply(STRANGE))
        await asyncio.sleep(0)
        clock.advance(1)
        await sending.wait()

    (row,) = await rows.rows([md5("550 flurble")], clock.now_ms())
    assert row is not None
    assert row.occurrences == 1


async def test_hostile_texts_are_bounded_and_what_recurs_stays(
    environ: dict[str, str], clock: ManualClock, store: Redis
) -> None:
    environ["EMTA_BOUNCE_QUALIFICATION_ROWS"] = "100"
    async with replica(environ, clock) as bounce:
        decided = await bounce.qualify("[rcpt] 550 decided on")
        await bounce.counted(decided.normalized_md5)
        await bounce.qualifications.set([decided.normalized_md5], actor="anna", status=IGNORE)
        await bounce.answer(*[STRANGE] * 20)
        for flood in range(10):
            texts = [f"[rcpt] 550 {word(flood * 500 + n)}" for n in range(500)]
            await bounce.answer(*texts, STRANGE)
            await bounce.counted(md5("550 flurble"), 21 + flood)

        rows = [row async for row in bounce.qualifications.rows()]
        assert len(rows) <= 101
        assert {"550 flurble", "550 decided on"} <= {row.normalized_text for row in rows}
        # Nothing of those that went is left behind.
        assert len(await store.keys("bounce:*")) <= 2 * 101 + 12


def word(number: int) -> str:
    """A word of letters only, another for every number."""
    return "".join(chr(ord("g") + int(digit)) for digit in str(number)) + "qz"


async def test_whatever_comes_has_a_row_that_can_be_read(bounce: Replica) -> None:
    chance = random.Random(7)
    odd = [*"\x00\x1f\x7f\\\"'{}[]<>|*#:.@ \n", "\ufffd", "\u202e", "用户", "😀", "-1", "nan", "550"]

    def some(most: int) -> str:
        return "".join(chance.choices(odd, k=chance.randrange(most)))

    replies = [
        SmtpReply(
            code=chance.choice([0, 250, 421, 550, 599]),
            enhanced_code=some(6),
            text=some(80),
            mx_host=some(10),
            recipient_domain=some(10),
            phase=chance.randrange(20),
            failure=chance.randrange(20),
        )
        for _ in range(900)
    ]
    answered = await bounce.answer(*replies, STRANGE)
    await bounce.counted(md5("550 flurble"))

    rows = {row.normalized_md5: row async for row in bounce.qualifications.rows()}
    for result in answered.results:
        row = rows[result.qualification.normalized_md5]
        assert row.normalized_text == result.qualification.normalized_text
    assert (await bounce.qualifications.clusters()).clusters


async def test_what_went_long_ago_makes_room_for_what_is_new(
    environ: dict[str, str], clock: ManualClock
) -> None:
    """Rows that were frequent once do not keep new texts out for ever."""
    environ["EMTA_BOUNCE_QUALIFICATION_ROWS"] = "100"
    async with replica(environ, clock) as bounce:
        await bounce.answer(*(f"[rcpt] 550 {word(n)}" for n in range(99) for _ in range(3)))
        await bounce.answer(*[STRANGE] * 20)
        await bounce.counted(md5("550 flurble"), 20)
        for second in range(10):
            new = [word(100 + 50 * second + n) for n in range(50)]
            await bounce.answer(*(f"[rcpt] 550 {each}" for each in new), STRANGE)
            await bounce.counted(md5("550 flurble"), 21 + second)

        rows = {row.normalized_text async for row in bounce.qualifications.rows()}
        assert {f"550 {each}" for each in new} <= rows


@pytest.mark.parametrize("name", ["", "x" * 32, "A" * 32, "550 flurble"])
async def test_a_key_is_an_md5(bounce: Replica, name: str) -> None:
    with pytest.raises(Problem) as caught:
        await bounce.qualifications.get(name)

    assert (caught.value.reason, caught.value.field) == ("MD5_INVALID", "normalized_md5")


async def test_what_nobody_ever_answered_has_no_row(bounce: Replica) -> None:
    for asking in (
        bounce.qualifications.get("0" * 32),
        bounce.qualifications.set(["0" * 32], actor="anna", status=KEEP),
    ):
        with pytest.raises(Problem) as caught:
            await asking
        assert caught.value.reason == "QUALIFICATION_UNKNOWN"


async def test_a_cluster_keeps_rows_as_one_server_does(cluster_url: str, clock: ManualClock) -> None:
    environ = {"EMTA_BOUNCE_LISTEN": "127.0.0.1:0", "EMTA_BOUNCE_REDIS_URL": cluster_url}
    async with replica(environ, clock) as bounce:
        # The Cluster is the whole session's: this text is nobody else's.
        sample = "[rcpt unspecified mx1.odd.example] 550 flurble in a cluster"
        meaning = await bounce.qualify(sample)
        before = await bounce.counted(meaning.normalized_md5)
        await bounce.answer(sample, sample)
        row = await bounce.counted(meaning.normalized_md5, before.occurrences + 2)
        await bounce.qualifications.set([row.normalized_md5], actor="anna", status=IGNORE)

        assert row.first_text == "flurble in a cluster"
        assert (await bounce.qualify(sample)).rule_id == f"row:{row.normalized_md5}"
        found = [each.normalized_md5 async for each in bounce.qualifications.rows(IGNORE)]
        assert found == [row.normalized_md5]
