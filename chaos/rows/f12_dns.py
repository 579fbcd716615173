"""F12: name servers that fail, lie, or are away."""

import asyncio
import time
from datetime import timedelta

from chaos.oracle import no_such_user
from chaos.source import RATE, message
from chaos.trial import Row, Trial
from chaos.world import Plan, World
from demo.receiver.zone import Fate
from emta.bounce.v1.qualification_pb2 import FailureType
from emta.relay.v1.message_pb2 import Message

_EACH = 20
_AWAY_SECONDS = 5.0
# The Relay remembers for 30 s that a domain's name servers failed; then comes the next try.
_RECOVERY_SECONDS = 40.0
# Postfix keeps 100 MX records of a domain.
_MANY_HOSTS = 120
_LOOP_VALIDITY = timedelta(seconds=8)


async def _run(trial: Trial) -> None:
    async with trial.world(Plan(extra_domains=("servfail.example", "silent.example"))) as world:
        zone = world.sites.zone
        zone.add_failing("servfail.example", Fate.SERVFAIL)
        zone.add_failing("silent.example", Fate.SILENT)
        for number in range(_MANY_HOSTS):
            zone.add("many.example", "MX", f"{number} mx.{world.sites[number % 8].domain}.")
        zone.add_cname("loop.example", "pool.example")
        zone.add_cname("pool.example", "loop.example")
        async with world.load():
            await asyncio.sleep(1)
            world.source.submit_in_background(_odd_ones())
            await asyncio.sleep(_AWAY_SECONDS)
            trial.progress("all name servers away")
            zone.add_failing("example", Fate.SILENT)
            began = time.monotonic()
            await asyncio.sleep(_AWAY_SECONDS)
            delivered = len(world.journalled(began, time.monotonic()))
            for name in ("example", "servfail.example", "silent.example"):
                zone.mend(name)
            trial.expect(
                delivered >= RATE * _AWAY_SECONDS / 2, f"only {delivered} delivered by cached answers"
            )
            world.healed()
        await trial.judge(world, most_duplicates=0, recovery_seconds=_RECOVERY_SECONDS, fails=_has_to_fail)
        _expect_types(trial, world)


def _odd_ones() -> list[Message]:
    ids = range(_EACH)
    loop = [message(f"loop-{n}", "loop.example", validity=_LOOP_VALIDITY) for n in ids]
    rest = {"servfail": "ok-servfail", "silent": "ok-silent", "many": "ok-many", "nowhere": "nowhere"}
    return loop + [message(f"{name}{n}", f"{at}.example") for at, name in rest.items() for n in ids]


def _has_to_fail(message_id: str) -> bool:
    return no_such_user(message_id) or message_id.startswith(("nowhere", "loop-"))


def _expect_types(trial: Trial, world: World) -> None:
    rows = world.oracle.rows
    hard = [name for name in rows if name.startswith(("nowhere", "loop-")) and _is_hard(world, name)]
    trial.expect(not hard, f"an address got a hard bounce for its name server's fault: {hard[:3]}")
    early = [
        name
        for name, row in rows.items()
        if name.startswith("loop-") and row.final_time.ToMilliseconds() < row.deadline_time.ToMilliseconds()
    ]
    trial.notes.append(
        f"{len(early)} of {_EACH} messages to a CNAME loop failed before their validity ended"
    )


def _is_hard(world: World, message_id: str) -> bool:
    return world.oracle.rows[message_id].failure_type == FailureType.FAILURE_TYPE_HARD


ROW = Row(
    "F12",
    "DNS: SERVFAIL, silence, NXDOMAIN, 120 MX records, a CNAME loop, all name servers away",
    "0 lost, 0 duplicates; SERVFAIL and silence defer; a name that does not exist is final, and never a "
    "hard bounce; cached answers carry on",
    0.25,
    _run,
)
