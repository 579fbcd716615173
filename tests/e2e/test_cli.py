"""The command `emta`, as a person types it, against the running stack."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import World
from tests.support.eventually import eventually

EMTA = Path(sys.executable).with_name("emta")
README = Path(__file__).resolve().parents[2] / "README.md"
EML = b"""From: Shop <news@shop.example>
To: {{name}} <{{email}}>
Subject: Dear {{name}}

Hello {{name}}
"""


@pytest.fixture
def files(tmp_path: Path) -> Path:
    (tmp_path / "message.eml").write_bytes(EML)
    rows = [f"ok+{n}@alpha.example,Person {n}" for n in range(20)]
    rows += ["user-unknown@alpha.example,Nobody", "not-an-address,Typo"]
    (tmp_path / "people.csv").write_text("email,name\n" + "\n".join(rows) + "\n")
    return tmp_path


async def start(
    world: World,
    folder: Path,
    *arguments: str,
    stdin: bool = False,
    stdout: int = asyncio.subprocess.PIPE,
) -> asyncio.subprocess.Process:
    environ = os.environ | {
        f"EMTA_CLIENT_{name.upper()}": world.addresses[name] for name in ("relay", "feedback", "bounce")
    }
    return await asyncio.create_subprocess_exec(
        EMTA,
        *arguments,
        cwd=folder,
        env=environ | {"COLUMNS": "120"},
        stdin=asyncio.subprocess.PIPE if stdin else None,
        stdout=stdout,
        stderr=asyncio.subprocess.PIPE,
    )


def errors(err: bytes) -> str:
    """Give standard error without what a busy machine adds: for whom the command waits."""
    lines = err.decode().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith("emta: waiting for "))


async def emta(world: World, folder: Path, *arguments: str) -> tuple[int | None, str, str]:
    process = await start(world, folder, *arguments)
    out, err = await process.communicate()
    return process.returncode, out.decode(), errors(err)


SEND = ("send", "--delivery", "spring", "--eml", "message.eml", "--recipients", "people.csv")


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


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("kpis", "nothing"), "there is no delivery nothing (DELIVERY_UNKNOWN)"),
        (("watch", "nothing"), "there is no delivery nothing (DELIVERY_UNKNOWN)"),
        (("log", "nothing"), "there is no delivery nothing (DELIVERY_UNKNOWN)"),
        (("log", "x", "--status", "lost"), "--status lost: one of taken, sent, failed, cancelled"),
        (("find", "Ada <ada@alpha.example>"), "ADDRESS|MESSAGE-ID: Ada <ada@alpha.example> is neither"),
        (("find", "<ada@alpha.example"), "is neither an address nor a Message-ID"),
        (("qualify", "hello"), "REPLY: starts with a code"),
        (("qualify", "250 OK"), "REPLY: 250 is no refusal"),
        ((*SEND, "--validity", "-1d"), "--validity -1d: a positive number"),
        ((*SEND[:-1], "message.eml"), "--recipients: message.eml has no column named email"),
    ],
)
async def test_bad_input_is_one_line_and_exit_code_2(
    world: World, files: Path, arguments: tuple[str, ...], says: str
) -> None:
    code, out, err = await emta(world, files, *arguments)

    assert (code, out) == (2, "")
    assert err.startswith("emta: ")
    assert says in err
    assert err.count("\n") == 1


async def test_services_that_do_not_run_are_one_line_too(world: World, files: Path) -> None:
    world.addresses["feedback"] = "127.0.0.1:1"

    code, _, err = await emta(world, files, "kpis", "spring")

    assert code == 1
    assert err == "emta: Feedback at 127.0.0.1:1 does not answer: connection refused (UNAVAILABLE)\n"


async def test_output_that_cannot_be_written_is_one_line_too(world: World, files: Path) -> None:
    await emta(world, files, *SEND)
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        process = await start(world, files, "kpis", "spring", stdout=full)
    finally:
        os.close(full)
    _, err = await process.communicate()

    assert (process.returncode, errors(err)) == (1, "emta: No space left on device\n")


@pytest.mark.parametrize("arguments", [("kpis", "spring"), ("log", "spring", "--json")])
async def test_a_reader_that_has_seen_enough_is_no_error(
    world: World, files: Path, arguments: tuple[str, ...]
) -> None:
    await emta(world, files, *SEND)
    read, write = os.pipe()
    os.close(read)
    try:
        process = await start(world, files, *arguments, stdout=write)
    finally:
        os.close(write)
    _, err = await process.communicate()

    assert (process.returncode, errors(err)) == (0, "")


@pytest.mark.parametrize(
    "address", ["localhost", "localhost:", "localhost:0", "localhost:99999", "", "a b:1"]
)
async def test_an_address_that_is_none_is_bad_input(world: World, files: Path, address: str) -> None:
    world.addresses["feedback"] = address

    code, _, err = await emta(world, files, "kpis", "spring")

    assert (code, err) == (2, f"emta: EMTA_CLIENT_FEEDBACK: {address!r} is not host:port\n")


async def test_an_address_of_another_service_is_named_with_its_setting(world: World, files: Path) -> None:
    world.addresses["bounce"] = world.addresses["feedback"]

    code, _, err = await emta(world, files, "qualify", "550 5.1.1 User unknown")

    assert code == 2
    assert f"what answers at {world.addresses['bounce']} is not Bounce" in err
    assert "EMTA_CLIENT_BOUNCE" in err
    assert err.count("\n") == 1


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
