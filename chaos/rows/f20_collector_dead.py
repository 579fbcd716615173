"""F20: the collector of traces is a black hole."""

import asyncio
from statistics import median

from chaos.proxy import Fault, Proxy
from chaos.trial import Row, Trial
from chaos.world import Plan

_SECONDS = 4.0
_ADDED_SECONDS = 0.02
_ADDED_SHUTDOWN_SECONDS = 2.0
_GRACE_SECONDS = 20.0
_ALL_TRACED = {f"EMTA_{name}_TRACE_RATIO": "1" for name in ("RELAY", "SIGNER", "BOUNCE", "FEEDBACK")}


async def _run(trial: Trial) -> None:
    trial.progress("without a collector")
    usual, usual_shutdown = await _measure(trial, _ALL_TRACED)
    trial.progress("with one that swallows everything")
    async with Proxy("127.0.0.1:1") as collector:
        await collector.impose(Fault.BLACKHOLE)
        to_collector = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{collector.address}"}
        seconds, shutdown = await _measure(trial, _ALL_TRACED | to_collector)
    trial.notes.append(
        f"accept: {usual * 1000:.1f} ms, then {seconds * 1000:.1f} ms; longest shutdown: "
        f"{usual_shutdown:.1f} s, then {shutdown:.1f} s"
    )
    trial.expect(
        seconds <= usual + _ADDED_SECONDS, f"accept takes {(seconds - usual) * 1000:.0f} ms longer (median)"
    )
    trial.expect(
        shutdown <= usual_shutdown + _ADDED_SHUTDOWN_SECONDS,
        f"shutdown takes {shutdown - usual_shutdown:.1f} s longer",
    )


async def _measure(trial: Trial, environ: dict[str, str]) -> tuple[float, float]:
    """Give the median of what a batch waits for its answer, and the longest shutdown, in seconds."""
    async with trial.world(Plan(environ=environ)) as world:
        async with world.load():
            await asyncio.sleep(_SECONDS)
            world.healed()
        await trial.judge(world, most_duplicates=0)
        services = (*world.relays, world.signer, world.bounce, world.feedback)
        return median(world.source.seconds), max([await s.terminate(_GRACE_SECONDS) for s in services])


ROW = Row(
    "F20",
    "the collector of traces swallows everything, every message traced",
    "0 lost, 0 duplicates; accept is no slower; shutdown takes at most 2 s longer",
    0.1,
    _run,
)
