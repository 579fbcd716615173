"""F18: every message is submitted a hundred times at once, across a restart, and again when it is done."""

import asyncio

from chaos.source import message
from chaos.trial import Row, Trial

_COPIES, _MESSAGES = 100, 10


async def _run(trial: Trial) -> None:
    async with trial.world() as world:
        (relay,) = world.relays
        batch = [message(f"ok-{n:06d}", world.sites[n % 8].domain) for n in range(_MESSAGES)]

        def submit_all() -> None:
            for _ in range(_COPIES):
                world.source.submit_in_background(batch)

        trial.progress("submitting, with a kill in the middle")
        submit_all()
        await asyncio.sleep(0.05)
        await relay.kill()
        await relay.start()
        world.healed()
        await world.source.until_answered()
        await world.quiet()
        trial.progress("submitting what is done")
        submit_all()
        await world.source.until_answered()
        await relay.terminate()
        await world.store.kill()
        await world.store.start()
        await relay.start()
        trial.progress("submitting what is done, after a restart of all that remembers")
        submit_all()
        await world.source.until_answered()
        verdict = await trial.judge(world, excused=world.past_dot(), most_duplicates=_MESSAGES)
        trial.expect(verdict.accepted == _MESSAGES, f"{verdict.accepted} messages accepted")
        known = 2 * _COPIES * _MESSAGES
        trial.expect(
            world.source.duplicates >= known, f"only {world.source.duplicates} known as duplicates"
        )


ROW = Row(
    "F18",
    f"each message submitted {_COPIES} times at once, across kill -9, and again when it is done",
    "one message each; a duplicate only where the kill found a transaction past the dot",
    0.0,
    _run,
)
