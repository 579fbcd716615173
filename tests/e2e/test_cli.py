"""The command `emta`, as a person types it, against the running stack."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from pathlib import Path

from tests.e2e.command import SEND, emta, start
from tests.e2e.conftest import EML, World
from tests.support.eventually import eventually

README = Path(__file__).resolve().parents[2] / "README.md"


async def test_send_shows_what_became_of_every_message(world: World, files: Path) -> None:
    code, out, err = await emta(world, files, *SEND)

    assert (code, err) == (0, "")
    assert "21 messages taken into account." in out
    assert "1 refused: ADDRESS_MALFORMED" in out
    assert "Refused message 22 to not-an-address: " in out
    assert "User unknown" in out
    assert "90.9 %" in out
    arrived = world.receiver.journal.accepted("ok+7@alpha.example")
    assert b"Hello Person 7" in arrived[0].content
    assert world.receiver.journal.violations == []


async def test_send_again_sends_nothing_twice(world: World, files: Path) -> None:
    await emta(world, files, *SEND)
    (files / "message.eml").write_bytes(EML.replace(b"Hello", b"Goodbye"))
    _, out, _ = await emta(world, files, *SEND)

    assert "21 were known already: nothing was sent again (another --delivery sends them)." in out
    assert "taken into account." not in out
    assert len(world.receiver.journal.messages) == 20


async def test_machines_get_json_lines(world: World, files: Path) -> None:
    _, out, _ = await emta(world, files, *SEND, "--json")
    sent = [json.loads(line) for line in out.splitlines()]
    _, out, _ = await emta(world, files, "log", "spring", "--status", "failed", "--json")
    failed = [json.loads(line)["entry"] for line in out.splitlines()]
    _, out, _ = await emta(world, files, "watch", "spring", "--json")
    events = [json.loads(line)["event"] for line in out.splitlines()]

    assert [next(iter(line)) for line in sent] == ["opened", "refused", "submitted", "kpis"]
    assert sent[-1]["kpis"]["sent"] == 20
    assert [entry["recipient"] for entry in failed] == ["user-unknown@alpha.example"]
    assert [event["position"] for event in events] == list(range(1, 43))


async def test_ctrl_c_detaches_and_says_how_to_come_back(world: World, files: Path) -> None:
    (files / "people.csv").write_text("email,name\nalways-soft@alpha.example,Patience\n")
    process = await start(world, files, *SEND)

    async def refused() -> bool:
        return bool(world.receiver.journal.refused("always-soft@alpha.example"))

    await eventually(refused, "the first attempt")
    process.send_signal(signal.SIGINT)
    out, err = await process.communicate()

    assert process.returncode == 0, err.decode()
    assert b"come back with: emta watch spring" in out


async def test_the_example_in_python_runs_as_it_is(world: World) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", README.read_text(), re.S)
    places = ", ".join(repr(world.addresses[name]) for name in ("relay", "feedback", "bounce"))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        example.replace("Client()", f"Client({places})"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()

    assert (process.returncode, err.decode()) == (0, "")
    assert out.decode().splitlines() == [
        "1 acceptance",
        "1 LOG_STATUS_TAKEN_INTO_ACCOUNT",
        "2 LOG_STATUS_SENT",
    ]


async def test_rules_shows_what_replies_are_qualified_by(world: World, files: Path) -> None:
    code, out, _ = await emta(world, files, "rules", "--reload")

    assert code == 0
    assert "Version" in out
    assert "none" in out


async def test_qualify_says_what_a_reply_means(world: World, files: Path) -> None:
    code, out, _ = await emta(world, files, "qualify", "550 5.1.1 User unknown")

    assert code == 0
    assert "Hard" in out
    assert "10 Invalid recipient" in out


async def test_qualify_takes_replies_of_several_lines(world: World, files: Path) -> None:
    reply = "550-5.1.1 No such user\r\n550 5.1.1 See our help"
    code, out, _ = await emta(world, files, "qualify", reply, "--json")

    assert code == 0
    text = json.loads(out)["qualification"]["normalized_text"]
    assert text == "550 5.1.1 No such user See our help"


async def test_brackets_in_names_are_shown_as_they_are(world: World, files: Path) -> None:
    (files / "people.csv").write_text("id,email,name\n[/1],ok@alpha.example,One\n[/2],not-an-address,Two\n")

    code, out, err = await emta(world, files, *SEND, "--label", "Sale [/now]")
    assert (code, err) == (0, "")
    assert "Refused message [/2] to not-an-address: " in out
    assert "Sale [/now]" in out

    code, out, err = await emta(world, files, "qualify", "550 5.7.1 blocked [/see] http://a.example")
    assert (code, err) == (0, "")

    code, out, err = await emta(world, files, "sites", "[/x]")
    assert (code, err) == (0, "")
    assert "a site like [/x]" in out
