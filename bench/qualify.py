"""`python -m bench qualify`: how fast are replies qualified, known and new ones, in-process and by RPC?

A known reply differs from an earlier one only in its address, identifiers and network address; a new one
has words that no other has. A core's figure is replies by CPU seconds of the process that qualifies.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench import meter, report
from bench.ours import FOLDER
from emta.bounce.v1.bounce_service_pb2 import QualifyRepliesItem, QualifyRepliesRequest
from emta.bounce.v1.bounce_service_pb2_grpc import BounceServiceStub
from emta.bounce.v1.smtp_reply_pb2 import SmtpPhase, SmtpReply
from emta.channel import connect
from services.bounce.catalogue.catalogue import load, sample_reply
from services.bounce.qualify import Qualifier
from services.bounce.rows.tally import Tally
from services.stack import Stack

_BATCH = 1_000
_REPEATED = 0.9
_TEMPLATES = 500
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("--runs", type=int, default=3, help="how often; the median is shown (default: 3)")
    parser.add_argument("--replies", type=int, default=100_000, help="replies a run (default: 100,000)")


class Replies:
    """Replies as receivers send them, made from the samples of the shipped rules."""

    def __init__(self) -> None:
        self._random = random.Random(20_261_124)  # the same job each time
        samples = [sample for rule in load().rules for sample in rule.samples]
        self._replies = [sample_reply(self._random.choice(samples)) for _ in range(_TEMPLATES)]
        for reply in self._replies:
            reply.phase = reply.phase or SmtpPhase.SMTP_PHASE_RCPT
            reply.text = f"{reply.text} ({self._words(3)})"

    def mixed(self, count: int, repeated: float) -> list[SmtpReply]:
        """Give `count` replies, the share `repeated` of them with words that came before."""
        return [self._reply(self._random.random() >= repeated) for _ in range(count)]

    def _reply(self, new: bool) -> SmtpReply:
        reply = SmtpReply()
        reply.CopyFrom(self._random.choice(self._replies))
        user, queue = self._words(1), f"{self._random.getrandbits(64):016x}"
        address = f"192.0.2.{self._random.randrange(256)}"
        reply.text = f"<{user}@{user}.example>: {reply.text} [{address}] 1{queue[:8]}a7{queue[8:]}"
        if new:
            reply.text += f" {self._words(4)}"
        return reply

    def _words(self, count: int) -> str:
        words = ("".join(self._random.choices(_LETTERS, k=8)) for _ in range(count))
        return " ".join(words)


async def run(arguments: argparse.Namespace) -> int:
    """Measure; gives the exit code."""
    replies = Replies()
    figures: dict[str, dict[str, float]] = {"in_process": {}, "rpc": {}}
    mixes = {"repeated": _REPEATED, "new": 0.0}
    for name, repeated in mixes.items():
        rates = [_in_process(replies, arguments.replies, repeated) for _ in range(arguments.runs)]
        figures["in_process"][name] = report.median(rates)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        FOLDER.mkdir(parents=True, exist_ok=True)
        with (FOLDER / "services.log").open("w") as log:
            async with Stack(Path(folder), _environ(Path(folder)), log) as stack:
                for name, repeated in mixes.items():
                    rates = [
                        await _by_rpc(stack, replies, arguments.replies, repeated)
                        for _ in range(arguments.runs)
                    ]
                    figures["rpc"][name] = report.median(rates)
    for way, of_mixes in figures.items():
        for name, rate in of_mixes.items():
            report.say(f"  {way:<11}{name:<9}[bold]{rate:>9,.0f}[/] replies/s a core")
    report.write("qualify", {"replies_per_second_per_core": figures, "repeated_share": _REPEATED})
    return 0


def _environ(folder: Path) -> dict[str, str]:
    listen = {f"EMTA_{name}_LISTEN": "127.0.0.1:0" for name in ("RELAY", "SIGNER", "BOUNCE", "FEEDBACK")}
    keys = folder / "keys"
    keys.mkdir()
    return listen | {"EMTA_SIGNER_KEYS_DIR": str(keys)}


def _in_process(replies: Replies, count: int, repeated: float) -> float:
    """Replies a CPU second, warmed up; counted, too, but not written to a store."""
    qualifier, tally = Qualifier(load()), Tally()
    for reply in replies.mixed(2 * _TEMPLATES, 1.0):
        qualifier.answer(reply)
    batch = replies.mixed(count, repeated)
    began = time.process_time()
    for reply in batch:
        tally.add(qualifier.answer(reply).row, reply)
    return count / (time.process_time() - began)


async def _by_rpc(stack: Stack, replies: Replies, count: int, repeated: float) -> float:
    """Replies by CPU second of the service."""
    requests = [
        QualifyRepliesRequest(items=[QualifyRepliesItem(reply=reply) for reply in batch])
        for batch in _batches(replies.mixed(count, repeated))
    ]
    async with connect(stack.addresses["bounce"]) as channel:
        bounce = BounceServiceStub(channel)
        await bounce.QualifyReplies(requests[0])
        before = meter.cpu_seconds(stack.pids["bounce"])
        for request in requests:
            response = await bounce.QualifyReplies(request)
            assert len(response.results) == len(request.items)
        return count / (meter.cpu_seconds(stack.pids["bounce"]) - before)


def _batches(replies: list[SmtpReply]) -> Iterator[list[SmtpReply]]:
    return (replies[start : start + _BATCH] for start in range(0, len(replies), _BATCH))
