"""F13: each service is restarted in order under load."""

import asyncio

from chaos.source import TRY_AGAIN
from chaos.trial import Row, Trial
from chaos.world import Plan

# EMTA_*_DRAIN_SECONDS of the suite, and what starting to stop takes.
_GRACE_SECONDS = 12.0
_RECOVERY_SECONDS = 5.0


async def _run(trial: Trial) -> None:
    async with trial.world(Plan(relays=2)) as world:
        for site in world.sites:
            site.dot_seconds = 0.2
        async with world.load():
            for service in (*world.relays, world.signer, world.bounce, world.feedback):
                trial.progress(f"restarting {service.name}")
                await asyncio.sleep(0.5)
                seconds = await service.terminate(_GRACE_SECONDS)
                trial.expect(seconds < _GRACE_SECONDS, f"{service.name} did not end within its grace")
                await service.start()
            world.healed()
        codes = {error.partition(" ")[0] for error in world.source.errors}
        trial.expect(codes <= TRY_AGAIN, f"accept answered {dict(world.source.errors)}")
        trial.expect(not world.source.without_delay, "accept did not say when to try again")
        await trial.judge(world, most_duplicates=0, recovery_seconds=_RECOVERY_SECONDS)


ROW = Row(
    "F13",
    "SIGTERM to each service in turn, under load, with answers that take 0.2 s",
    "0 lost, 0 duplicates; waits for the final dot's answer come to their end; clients that try again see "
    "no failure",
    0.25,
    _run,
)
