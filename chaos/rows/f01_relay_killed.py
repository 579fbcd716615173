"""F1: the Relay is killed, again and again."""

import asyncio

from chaos.trial import Row, Trial
from chaos.world import Plan

_KILLS = 20
_WITHIN_SECONDS = 5.0  # of the end of its lease, a message is at work again


async def _run(trial: Trial) -> None:
    kills = trial.times(_KILLS)
    async with trial.world(Plan(direct=True)) as world:
        for site in world.sites:
            # Kills land in mid-transaction.
            site.before_dot_seconds = 0.02
        (relay,) = world.relays
        async with world.load():
            await asyncio.sleep(1)
            for number in range(kills):
                trial.progress(f"kill {number + 1} of {kills}")
                await world.until_steady()
                await asyncio.sleep(trial.random.uniform(0.1, 0.9))
                await relay.kill()
                await relay.start()
            world.healed()
        verdict = await trial.judge(
            world,
            excused=world.past_dot(),
            most_duplicates=kills,
            recovery_seconds=trial.lease_seconds + _WITHIN_SECONDS,
        )
    trial.notes.append(f"{len(verdict.duplicates) / kills:.2f} duplicates a kill")


ROW = Row(
    "F1",
    f"kill -9 the Relay, {_KILLS} times",
    "0 lost; duplicates: transactions past the dot at a kill, at 200 messages a second at most one a kill "
    "on average; what was on lease is at work again within lease + 5 s",
    1.0,
    _run,
)
