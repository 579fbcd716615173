"""What is ours and away makes messages wait: nothing leaves unsigned, nobody guesses, nothing is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.machine import SENDER_DOMAIN
from emta.bounce.v1.qualification_pb2 import BounceCode, FailureReason, FailureType
from emta.feedback.v1.log_pb2 import LogStatus
from emta.feedback.v1.outcome_pb2 import FailureCause, HoldCause
from services.signer.keygen import make_key
from tests.e2e.conftest import World, message
from tests.support.eventually import eventually

SENT = LogStatus.LOG_STATUS_SENT
FAILED = LogStatus.LOG_STATUS_FAILED
HOUR = 3600


async def until_held(world: World, cause: HoldCause) -> None:
    async def held() -> bool:
        entry = await world._row("m1", "d1")
        return entry is not None and entry.hold_cause == cause

    await eventually(held, "the message to be held")


class TestWithoutAKey:
    @pytest.fixture
    def keys_dir(self, tmp_path: Path) -> Path:
        return tmp_path

    async def test_a_message_waits_and_leaves_when_the_key_comes(
        self, world: World, keys_dir: Path
    ) -> None:
        await world.submit(message("ok@alpha.example"))
        await until_held(world, HoldCause.HOLD_CAUSE_NO_KEY)
        assert not world.receiver.journal.messages
        assert (await world.entry()).hold_domain == SENDER_DOMAIN

        make_key(SENDER_DOMAIN, "late", keys_dir)

        async def sent() -> bool:
            world.clock.advance(61)
            entry = await world._row("m1", "d1")
            return entry is not None and entry.status == SENT

        await eventually(sent, "the message to leave")
        (arrived,) = world.receiver.journal.messages
        assert b"s=late" in arrived.content
        entry = await world.entry()
        assert (entry.retry_count, entry.hold_cause, entry.hold_domain) == (0, 0, "")

    async def test_it_expires_unsent_as_ignored_and_unreachable(self, world: World) -> None:
        await world.submit(message("ok@alpha.example"))
        await until_held(world, HoldCause.HOLD_CAUSE_NO_KEY)

        world.clock.advance(84 * HOUR)
        entry = await world.until(FAILED)

        assert entry.failure_cause == FailureCause.FAILURE_CAUSE_EXPIRED
        assert entry.failure_type == FailureType.FAILURE_TYPE_IGNORED
        assert entry.failure_reason == FailureReason.FAILURE_REASON_UNREACHABLE
        assert entry.bounce_code == BounceCode.BOUNCE_CODE_TIMEOUT
        assert (entry.hold_cause, entry.hold_domain) == (HoldCause.HOLD_CAUSE_NO_KEY, SENDER_DOMAIN)
        assert not world.receiver.journal.messages


class TestBounceAway:
    @pytest.fixture
    def away(self) -> tuple[str, ...]:
        return ("bounce",)

    async def test_a_refused_message_waits_unqualified_and_is_not_tried_again(self, world: World) -> None:
        await world.submit(message("user-unknown@alpha.example"))
        await until_held(world, HoldCause.HOLD_CAUSE_BOUNCE_UNAVAILABLE)
        world.clock.advance(HOUR)
        world.clock.advance(HOUR)

        entry = await world.entry()
        assert (entry.status, entry.retry_count) == (LogStatus.LOG_STATUS_TAKEN_INTO_ACCOUNT, 0)
        assert len(world.receiver.journal.refused("user-unknown@alpha.example")) == 1

        world.clock.advance(84 * HOUR)
        entry = await world.until(FAILED)
        assert entry.failure_type == FailureType.FAILURE_TYPE_NOT_DEFINED
        assert entry.HasField("campaign_reason")
        assert entry.campaign_reason == 0
        assert entry.last_reply.code == 550


class TestSignerAway:
    @pytest.fixture
    def away(self) -> tuple[str, ...]:
        return ("signer",)

    async def test_nothing_leaves_unsigned(self, world: World) -> None:
        await world.submit(message("ok@alpha.example"))

        await until_held(world, HoldCause.HOLD_CAUSE_SIGNER_UNAVAILABLE)

        assert not world.receiver.journal.messages


async def test_no_answer_to_the_final_dot_is_told_and_tried_again(world: World) -> None:
    await world.submit(message("drop-after-dot-once@alpha.example"))

    entry = await world.until_retries(1)
    assert entry.possible_duplicate
    assert entry.status == LogStatus.LOG_STATUS_TAKEN_INTO_ACCOUNT

    world.clock.advance(HOUR)
    await world.until(SENT)
    figures = await world.client.kpis("d1")
    assert (figures.sent, figures.possible_duplicates) == (1, 1)
    assert len(world.receiver.journal.accepted("drop-after-dot-once@alpha.example")) == 2


class TestPresuming:
    @pytest.fixture
    def environ(self) -> dict[str, str]:
        return {"EMTA_RELAY_UNKNOWN_RESULT": "presume"}

    async def test_no_answer_to_the_final_dot_counts_as_sent_where_policy_says_so(
        self, world: World
    ) -> None:
        await world.submit(message("drop-after-dot-once@alpha.example"))

        entry = await world.until(SENT)

        assert entry.presumed
        assert (await world.client.kpis("d1")).presumed == 1
