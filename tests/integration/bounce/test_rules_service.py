"""The rules in force, as seen and changed over gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from emta.bounce.v1.bounce_service_pb2 import QualifyRepliesItem, QualifyRepliesRequest
from emta.bounce.v1.bounce_service_pb2_grpc import BounceServiceStub
from emta.bounce.v1.rules_service_pb2 import GetRulesRequest, ReloadRulesRequest
from emta.bounce.v1.rules_service_pb2_grpc import RulesServiceStub
from emta.bounce.v1.smtp_reply_pb2 import SmtpReply
from emta.channel import connect
from emta.problems import Problem
from services.bounce.app import running
from services.bounce.settings import BounceSettings
from services.chassis.settings import load_settings
from tests.support.clock import ManualClock
from tests.unit.bounce.rules import reply, rule

STRANGE = QualifyRepliesRequest(items=[QualifyRepliesItem(reply=reply("[rcpt] 550 flurble"))])


@pytest.fixture
def overrides(tmp_path: Path) -> Path:
    """The operator's folder; empty."""
    folder = tmp_path / "rules"
    folder.mkdir()
    return folder


@pytest.fixture
async def channel(environ: dict[str, str], overrides: Path) -> AsyncIterator[grpc.aio.Channel]:
    """To a Bounce that is told to look at its files by nobody but the test."""
    environ["EMTA_BOUNCE_RULES"] = str(overrides)
    async with (
        running(load_settings(BounceSettings, environ), ManualClock()) as server,
        connect(server.address) as channel,
    ):
        yield channel


async def test_a_reload_changes_the_answer_and_its_version(
    channel: grpc.aio.Channel, overrides: Path
) -> None:
    bounce, rules = BounceServiceStub(channel), RulesServiceStub(channel)
    before = await bounce.QualifyReplies(STRANGE)
    assert before.results[0].qualification.rule_id == "undetermined"

    (overrides / "ours.toml").write_text(rule("ours", text="flurble", samples=["550 flurble"]))
    reloaded = await rules.ReloadRules(ReloadRulesRequest())
    after = await bounce.QualifyReplies(STRANGE)

    assert after.results[0].qualification.rule_id == "ours"
    assert before.rules_version != after.rules_version == reloaded.rules.version
    assert list(reloaded.rules.override_ids) == ["ours"]


async def test_broken_overrides_are_refused_with_the_place_of_the_error(
    channel: grpc.aio.Channel, overrides: Path
) -> None:
    bounce, rules = BounceServiceStub(channel), RulesServiceStub(channel)
    before = await bounce.QualifyReplies(STRANGE)

    (overrides / "ours.toml").write_text(rule("ours", txt="flurble"))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await rules.ReloadRules(ReloadRulesRequest())
    problem = Problem.from_rpc_error(caught.value)
    shown = await rules.GetRules(GetRulesRequest())

    assert problem.reason == "RULES_REFUSED"
    assert problem.message == "ours.toml:8: rule ours: unknown key txt; did you mean text?"
    assert shown.refused == problem.message
    assert shown.rules.version == before.rules_version
    assert (await bounce.QualifyReplies(STRANGE)).rules_version == before.rules_version


async def test_results_stand_in_the_order_of_the_items(channel: grpc.aio.Channel) -> None:
    texts = ["550 5.1.1 User unknown", "999 wrong", "552 5.2.2 over quota"]
    items = [QualifyRepliesItem(reply=reply(text)) for text in texts]
    response = await BounceServiceStub(channel).QualifyReplies(
        QualifyRepliesRequest(items=[items[0], QualifyRepliesItem(), *items[1:]])
    )

    kinds = [result.WhichOneof("result") for result in response.results]
    assert kinds == ["qualification", "error", "error", "qualification"]
    reasons = [
        Problem.from_status(each.error).reason for each in response.results if each.HasField("error")
    ]
    assert reasons == ["REPLY_MISSING", "REPLY_CODE_INVALID"]


@pytest.mark.parametrize(
    ("field", "longest"), [("enhanced_code", 11), ("mx_host", 253), ("recipient_domain", 253)]
)
async def test_names_and_codes_of_any_length_are_not_remembered(
    channel: grpc.aio.Channel, field: str, longest: int
) -> None:
    items = [
        QualifyRepliesItem(reply=SmtpReply(code=550, **{field: "x" * length}))  # type: ignore[arg-type]
        for length in (longest, longest + 1)
    ]

    response = await BounceServiceStub(channel).QualifyReplies(QualifyRepliesRequest(items=items))

    assert response.results[0].HasField("qualification")
    problem = Problem.from_status(response.results[1].error)
    assert (problem.reason, problem.field) == ("REPLY_FIELD_TOO_LONG", f"reply.{field}")


async def test_broken_overrides_stop_the_start_with_one_line(
    environ: dict[str, str], overrides: Path
) -> None:
    (overrides / "ours.toml").write_text(rule("ours", txt="flurble"))
    settings = load_settings(BounceSettings, environ | {"EMTA_BOUNCE_RULES": str(overrides)})

    with pytest.raises(Problem, match=r"ours.toml:8: rule ours: unknown key txt"):
        async with running(settings):
            pass
