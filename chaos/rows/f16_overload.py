"""F16: ten thousand messages a second are offered."""

import asyncio
import time

from chaos.source import message
from chaos.trial import Row, Trial

_RATE, _SECONDS, _BATCH = 10_000, 2.0, 100
_P99_SECONDS = 0.25
_MOST_BYTES = 300 * 1024 * 1024
_PATIENCE_SECONDS = 120.0


async def _run(trial: Trial) -> None:
    async with trial.world() as world:
        source, relay = world.source, world.relays[0]
        domains = [site.domain for site in world.sites]
        batches = [
            [message(f"ok-{n:06d}", domains[n % 8]) for n in range(start, start + _BATCH)]
            for start in range(0, round(_RATE * _SECONDS), _BATCH)
        ]
        trial.progress(f"offering {_RATE} messages a second")
        began = time.monotonic()
        for number, batch in enumerate(batches):
            source.submit_in_background(batch)
            await asyncio.sleep(max(0.0, began + number * _BATCH / _RATE - time.monotonic()))
        offered = len(batches) * _BATCH / (time.monotonic() - began)
        most = 0
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while source.unanswered:
                most = max(most, relay.process.resident_bytes)
                await asyncio.sleep(0.05)
        accepted = len(source.accepted) / (time.monotonic() - began)
        world.healed()
        await trial.judge(world, most_duplicates=0)
        times = sorted(source.seconds)
        p99 = times[int(len(times) * 0.99)]
        trial.notes.append(
            f"offered {offered:.0f}/s, accepted {accepted:.0f}/s, p99 of a batch {p99 * 1000:.0f} ms, at "
            f"most {most / 1e6:.0f} MB; {dict(source.errors)}"
        )
        trial.expect(p99 < _P99_SECONDS, f"p99 of what was admitted is {p99 * 1000:.0f} ms, not < 250 ms")
        trial.expect(most < _MOST_BYTES, f"the Relay grew to {most / 1e6:.0f} MB")
        codes = {error.partition(" ")[0] for error in source.errors}
        trial.expect(codes <= {"RESOURCE_EXHAUSTED"}, f"accept answered {dict(source.errors)}")
        trial.expect(not source.without_delay, f"{source.without_delay} refusals stated no delay")


ROW = Row(
    "F16",
    f"{_RATE} messages a second offered, in batches of {_BATCH}",
    "0 lost, 0 duplicates; what is too much is refused with RESOURCE_EXHAUSTED and a delay; p99 of what is "
    "admitted < 250 ms; memory bounded",
    0.0,
    _run,
)
