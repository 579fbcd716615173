"""An unknown reply over real SMTP, until an operator has said what it means."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from emta.bounce.v1.qualification_pb2 import FailureReason, FailureType
from emta.bounce.v1.qualifications_service_pb2 import QualificationRow
from emta.feedback.v1.log_pb2 import LogStatus
from services.bounce.catalogue.catalogue import load
from services.bounce.offline.replies import read_replies
from services.bounce.qualify import qualify
from tests.e2e.command import emta
from tests.e2e.conftest import World, message
from tests.e2e.false_replies import provider
from tests.support.eventually import eventually

FAILED = LogStatus.LOG_STATUS_FAILED
MX = "mx1.odd.example"
ODD = b"550 Nope, %s is flurbled beyond repair\r\n"


async def rows(world: World, count: int) -> list[QualificationRow]:
    """Give the rows once there are so many; time goes on meanwhile."""

    async def counted() -> list[QualificationRow] | None:
        world.clock.advance(1)
        found = [row async for row in world.client.qualifications.rows()]
        return found if len(found) >= count else None

    return await eventually(counted, f"{count} rows")


async def test_an_unknown_reply_is_qualified_by_an_operator(world: World, tmp_path: Path) -> None:
    async with provider(world, MX, ["odd.example"]) as odd:
        for name in ("xavier", "yolanda"):
            odd.replies = {"RCPT": ODD % name.encode()}
            await world.submit(message(f"{name}@odd.example", name))
            entry = await world.until(FAILED, name)
            assert entry.failure_type == FailureType.FAILURE_TYPE_NOT_DEFINED
            assert entry.campaign_reason == 0
        await rows(world, 2)

        # A short list: two texts that differ in a name are one line.
        code, out, _ = await emta(world, tmp_path, "qualifications", "list")
        assert code == 0
        assert "Nope, ... is flurbled beyond repair" in out
        assert "odd.example" in out
        _, out, _ = await emta(world, tmp_path, "qualifications", "list", "--json")
        (cluster,) = [json.loads(line)["cluster"] for line in out.splitlines()]
        md5 = cluster["normalized_md5s"][0]

        _, out, _ = await emta(world, tmp_path, "qualifications", "show", md5)
        assert "To qualify" in out
        _, out, _ = await emta(world, tmp_path, "qualifications", "show", md5, "--rule", "--cluster")
        assert tomllib.loads(out)["rule"][0]["text"] == "Nope,.+is flurbled beyond repair"
        arguments = ("--cluster", "--type", "hard", "--reason", "user-unknown", "--why", "asked them")
        code, out, err = await emta(world, tmp_path, "qualifications", "set", md5, *arguments)
        assert (code, err) == (0, "")
        assert "User unknown" in out
        _, out, _ = await emta(world, tmp_path, "qualifications", "list")
        assert out == "Every text is qualified.\n"

        await world.submit(message("xavier@odd.example", "again"))
        odd.replies = {"RCPT": ODD % b"xavier"}
        entry = await world.until(FAILED, "again")

    assert (entry.failure_type, entry.failure_reason, entry.campaign_reason) == (
        FailureType.FAILURE_TYPE_HARD,
        FailureReason.FAILURE_REASON_USER_UNKNOWN,
        1,
    )
    assert entry.rule_id.startswith("row:")
    _, out, _ = await emta(world, tmp_path, "qualifications", "show", md5, "--rule")
    (rule,) = tomllib.loads(out)["rule"]
    assert rule["text"].startswith("Nope, ")
    assert (rule["bounce_code"], rule["type"], rule["reason"]) == (10, "hard", "user_unknown")


async def test_rows_are_listed_and_set_by_hand(world: World, tmp_path: Path) -> None:
    await world.submit(message("user-unknown@alpha.example", "m1"))
    await world.until(FAILED, "m1")
    (row,) = await rows(world, 1)

    code, out, _ = await emta(world, tmp_path, "qualifications", "list", "--status", "keep")
    assert code == 0
    assert "Keep" in out
    assert row.normalized_md5 in out
    _, out, _ = await emta(
        world, tmp_path, "qualifications", "set", row.normalized_md5, "--status", "ignore"
    )
    assert "Ignored / User unknown" in out
    assert "was " not in out
    keep = ("set", row.normalized_md5, "--status", "keep", "--who", "somebody else")
    _, out, _ = await emta(world, tmp_path, "qualifications", *keep)
    assert "was Ignore, Ignored / User unknown: set by" in " ".join(out.split())
    await emta(world, tmp_path, "qualifications", "set", row.normalized_md5, "--status", "ignore")
    _, out, _ = await emta(
        world, tmp_path, "qualifications", "set", row.normalized_md5, "--reset", "--json"
    )
    assert json.loads(out)["row"]["status"] == "QUALIFICATION_STATUS_IGNORE"
    assert json.loads(out)["row"]["occurrences"] == 0


async def test_an_override_is_tried_on_past_replies(world: World, tmp_path: Path) -> None:
    await world.submit(message("user-unknown@alpha.example", "m1"))
    await world.until(FAILED, "m1")
    (row,) = await rows(world, 1)

    code, out, _ = await emta(world, tmp_path, "qualifications", "list", "--status", "all", "--replies")

    assert code == 0
    ((given, reply),) = read_replies(out.splitlines())
    assert reply is not None
    meaning = qualify(load(), reply)
    assert (given["id"], meaning.rule_id) == (row.normalized_md5, row.by_rules.rule_id)


async def test_what_cannot_be_meant_is_one_line_and_exit_code_2(world: World, tmp_path: Path) -> None:
    md5 = "0" * 32
    for arguments, says in (
        (("list", "--status", "lost"), "--status lost: one of to-qualify, keep, ignore, all"),
        (("show", "nothing"), "must be 32 lower-case hexadecimal digits (MD5_INVALID)"),
        (("show", md5), f"there is no row {md5} (QUALIFICATION_UNKNOWN)"),
        (("set", md5), "--type and --reason, --status or --reset"),
        (("set", md5, "--reason", "refused"), "--type: is needed"),
        (("set", md5, "--type", "hard"), "--reason: is needed"),
        (("set", md5, "--type", "hard", "--reason", "flurbled"), "--reason flurbled: one of"),
        (("set", md5, "--type", "hard", "--reason", "5"), "do not go together (TYPE_REASON_INVALID)"),
        (("set", md5, "--type", "hard", "--reason", "1", "--code", "11"), "--code 11: no bounce code"),
        (("set", md5, "--type", "hard", "--reason", "1", "--cluster"), "is in no cluster"),
    ):
        code, out, err = await emta(world, tmp_path, "qualifications", *arguments)
        assert (code, out) == (2, "")
        assert err.startswith("emta: ")
        assert says in err
        assert err.count("\n") == 1
