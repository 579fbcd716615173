"""F16: ten thousand messages a second are offered."""

import asyncio
import json
import math
import sys
import time
from typing import Any

from chaos.trial import Row, Trial
from chaos.world import Plan, World

_RATE, _SECONDS = 10_000, 2.0
_P99_SECONDS = 0.25
_MOST_BYTES = 300 * 1024 * 1024
_LOOK_SECONDS = 0.1


async def _run(trial: Trial) -> None:
    async with trial.world(Plan(direct=True)) as world:
        trial.progress(f"offering {_RATE} messages a second")
        began = time.monotonic()
        told, most_bytes = await _offered(world)
        source, seconds = world.source, sorted(told["seconds"])
        source.accepted.update(told["accepted"])
        source.errors.update(told["errors"])
        world.healed()
        await trial.judge(world, most_duplicates=0)
        # By nearest rank: 99 of a hundred took no longer.
        p99 = seconds[math.ceil(len(seconds) * 0.99) - 1]
        accepted = len(source.accepted) / (max(source.accepted.values()) - began)
        trial.notes.append(
            f"offered {told['rate']:.0f}/s, accepted {accepted:.0f}/s, p99 of a batch {p99 * 1000:.0f} ms, "
            f"at most {most_bytes / 1e6:.0f} MB; {dict(source.errors)}"
        )
        trial.expect(len(source.accepted) == _RATE * _SECONDS, "not all was accepted in the end")
        trial.expect(p99 < _P99_SECONDS, f"p99 of what was admitted is {p99 * 1000:.0f} ms, not < 250 ms")
        trial.expect(most_bytes < _MOST_BYTES, f"the Relay grew to {most_bytes / 1e6:.0f} MB")
        codes = {error.partition(" ")[0] for error in source.errors}
        trial.expect(codes <= {"RESOURCE_EXHAUSTED"}, f"accept answered {dict(source.errors)}")
        trial.expect(not told["without_delay"], f"{told['without_delay']} refusals stated no delay")


async def _offered(world: World) -> tuple[dict[str, Any], int]:
    """Offer from another process, past the proxy; gives what it was answered, and the Relay's most memory.

    This process has the receivers and the proxies to run, and its own delays would be measured.
    """
    relay = world.relays[0]
    command = [sys.executable, "-m", "chaos.offering", f"ipv4:{relay.address}", f"--rate={_RATE}"]
    command += [f"--seconds={_SECONDS}", *(site.domain for site in world.sites)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    finished = asyncio.create_task(process.communicate())
    most = 0
    while not finished.done():
        most = max(most, relay.process.resident_bytes)
        await asyncio.wait({finished}, timeout=_LOOK_SECONDS)
    output, _ = await finished
    return json.loads(output), most


ROW = Row(
    "F16",
    f"{_RATE} messages a second offered, in batches of 100",
    "0 lost, 0 duplicates; what is too much is refused with RESOURCE_EXHAUSTED and a delay; p99 of what is "
    "admitted < 250 ms; memory bounded",
    0.0,
    _run,
)
