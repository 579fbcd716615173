"""F2: Bounce, Feedback and the Signer are killed, again and again."""

import asyncio

from chaos.trial import Row, Trial

_KILLS = 20
_RECOVERY_SECONDS = 10.0


async def _run(trial: Trial) -> None:
    kills = trial.times(_KILLS)
    async with trial.world() as world:
        async with world.load():
            for number in range(kills):
                victim = trial.random.choice((world.bounce, world.feedback, world.signer))
                trial.progress(f"kill {number + 1} of {kills}: {victim.name}")
                await asyncio.sleep(trial.random.uniform(0.1, 0.5))
                await victim.kill()
                await victim.start()
            world.healed()
        await trial.judge(world, most_duplicates=0, recovery_seconds=_RECOVERY_SECONDS)


ROW = Row(
    "F2",
    f"kill -9 Bounce, Feedback or the Signer, {_KILLS} times",
    "0 lost, 0 duplicates; the log has no gap, and counts nothing twice",
    0.5,
    _run,
)
