"""The benchmark's figures: of whole small runs, and of what they are made of."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import meter, postfix

_ROOT = Path(__file__).parents[3]
_MESSAGES = 300
_PROCESSES = {"relay", "signer", "bounce", "feedback", "store"}


async def bench(folder: Path, *arguments: str) -> tuple[int | None, str]:
    """Run `python -m bench` in a folder; gives its exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench", *arguments,
        cwd=folder, env=os.environ | {"PYTHONPATH": f"{_ROOT}:{_ROOT / 'client'}"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    return process.returncode, said.decode()


def figures(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / f"var/bench/{name}.json").read_text())
    return found


async def test_a_run_gives_rate_cpu_and_memory_of_every_process(tmp_path: Path) -> None:
    code, said = await bench(
        tmp_path, "run", "--profile", "lab", "--runs", "1", "--messages", str(_MESSAGES)
    )

    assert code == 0, said
    (run,) = figures(tmp_path, "latest")["runs"]
    assert (run["profile"], run["size_bytes"]) == ("lab", 10_240)
    assert run["messages_per_second"] > 0
    cpu = run["cpu_us_per_message"]
    assert set(cpu) == {"total", *_PROCESSES}
    assert cpu["total"] == pytest.approx(sum(cpu[name] for name in _PROCESSES), abs=1)
    # An RSA-2048 signature alone takes more than 100 us on any machine.
    assert cpu["signer"] > 100
    assert 0 < run["bytes_per_queued_message"] < 10_240
    assert run["peak_rss_mb"] > 50
    assert (run["details"]["duplicates"], run["details"]["signatures_verified"]) == (0, 1)


async def test_the_field_puts_off_and_encrypts(tmp_path: Path) -> None:
    code, said = await bench(
        tmp_path, "run", "--profile", "field", "--runs", "1", "--messages", str(_MESSAGES)
    )

    assert code == 0, said
    details = figures(tmp_path, "latest")["runs"][0]["details"]
    assert 0 < details["put_off"] < _MESSAGES / 5
    assert details["tls"] == details["connections"] > 0


async def test_postfix_does_the_same_job_or_one_line_says_what_is_missing(tmp_path: Path) -> None:
    code, said = await bench(
        tmp_path, "run", "--peers", "--profile", "lab", "--runs", "1", "--messages", str(_MESSAGES)
    )

    if reason := postfix.unavailable():
        assert (code, said) == (2, f"bench: Postfix with opendkim: {reason}\n")
        return
    assert code == 0, said
    found = figures(tmp_path, "latest")
    peer = found["peers"]["postfix_opendkim"]["lab"]
    assert peer["cpu_us_per_message"] > 0
    assert peer["runs"][0]["signatures_verified"] == 1
    rate = found["runs"][0]["messages_per_second"]
    assert found["ratio"]["lab"] == pytest.approx(rate / peer["messages_per_second"], rel=0.01)


async def test_acceptance_is_measured_while_nothing_leaves(tmp_path: Path) -> None:
    code, said = await bench(tmp_path, "accept", "--runs", "1", "--messages", str(_MESSAGES))

    assert code == 0, said
    assert figures(tmp_path, "accept")["accepted_per_second"] > 0


async def test_a_killed_store_comes_back_with_its_queue_and_delivery_goes_on(tmp_path: Path) -> None:
    code, said = await bench(tmp_path, "restart", "--depth", str(_MESSAGES))

    assert code == 0, said
    found = figures(tmp_path, "restart")
    assert found["queued"] == _MESSAGES
    assert 0 < found["answers_after_s"] < found["delivers_after_s"]


@pytest.mark.parametrize("arguments", [("run", "--runs", "0"), ("run", "--profile", "moon"), ()])
async def test_bad_input_is_told_and_nothing_is_measured(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    code, said = await bench(tmp_path, *arguments)

    assert code == 2
    assert "bench: error: " in said or "bench run: error: " in said
    assert not (tmp_path / "var").exists()


def test_cpu_of_children_counts_while_they_live_and_after() -> None:
    burn = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ninput()"
    before = meter.cpu_seconds(os.getpid())
    with subprocess.Popen(
        [sys.executable, "-c", burn], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdout.readline()
        assert child.pid in meter.tree(os.getpid())
        living = meter.cpu_seconds(os.getpid())
        assert meter.peak_rss_mb(child.pid) > 1
        child.stdin.close()
    ended = meter.cpu_seconds(os.getpid())
    assert living - before >= 0.28  # two steps of 10 ms may be lost
    assert ended >= living - 0.02
