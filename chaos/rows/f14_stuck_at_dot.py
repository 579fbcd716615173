"""F14: a Relay has to end while a receiver holds the answer to a final dot, and is killed at the end."""

from chaos.source import message
from chaos.trial import Row, Trial
from chaos.waiting import until
from chaos.world import Plan

_STUCK = ("ok-stuck1", "ok-stuck2", "ok-stuck3")
_GRACE_SECONDS = 3.0
_WITHIN_SECONDS = 5.0


async def _run(trial: Trial) -> None:
    # It would wait for the answers much longer than it is given.
    async with trial.world(Plan(environ={"EMTA_RELAY_DRAIN_SECONDS": "60"})) as world:
        (relay,) = world.relays
        sites = world.sites
        for site, message_id in zip(sites, _STUCK, strict=False):
            site.stuck.add(message_id)
            world.source.submit_in_background([message(message_id, site.domain)])
        async with world.load():
            trial.progress("three messages stuck at the dot")
            await until(lambda: sites.deliveries().keys() >= set(_STUCK), _WITHIN_SECONDS)
            trial.progress("SIGTERM, then SIGKILL")
            seconds = await relay.terminate(_GRACE_SECONDS)
            trial.expect(seconds >= _GRACE_SECONDS, "the Relay did not wait for the answers")
            for site in sites:
                site.stuck.clear()
            await relay.start()
            world.healed()
        stuck = [d for d in sites.journal if d.message_id in _STUCK and d.answered is None]
        await trial.judge(
            world,
            excused=stuck,
            most_duplicates=len(_STUCK),
            recovery_seconds=trial.lease_seconds + _WITHIN_SECONDS,
        )


ROW = Row(
    "F14",
    "SIGTERM, then SIGKILL, with receivers that hold the answer to a final dot",
    "0 lost; what was stuck is at work again within lease + 5 s; duplicates: only what was stuck",
    0.25,
    _run,
)
