"""What `emta` says and ends with when something is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.command import SEND, emta, errors, start
from tests.e2e.conftest import World


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
