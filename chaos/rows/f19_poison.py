"""F19: messages that kill the Signer."""

import asyncio

from chaos import poisoned_signer
from chaos.oracle import no_such_user
from chaos.source import message
from chaos.trial import Row, Trial
from chaos.waiting import until
from chaos.world import Plan, World
from emta.feedback.v1.log_pb2 import LogStatus
from emta.feedback.v1.outcome_pb2 import FailureCause
from emta.relay.v1.message_pb2 import Message

_POISONED = 2
_PATIENCE_SECONDS = 45.0
_RECOVERY_SECONDS = 10.0
_PREFIX = "poison-"


async def _run(trial: Trial) -> None:
    async with trial.world(Plan(signer="chaos.poisoned_signer")) as world:
        world.signer.supervise()
        async with world.load():
            await asyncio.sleep(0.5)
            trial.progress("messages that kill the Signer")
            world.source.submit_in_background([_poison(world, n) for n in range(_POISONED)])
            await until(lambda: _final(world) == _POISONED, _PATIENCE_SECONDS)
            world.healed()
        await trial.judge(
            world,
            most_duplicates=0,
            recovery_seconds=_RECOVERY_SECONDS,
            fails=lambda message_id: no_such_user(message_id) or message_id.startswith(_PREFIX),
        )
        rows = [row for name, row in world.oracle.rows.items() if name.startswith(_PREFIX)]
        internal = sum(
            row.status == LogStatus.LOG_STATUS_FAILED
            and row.failure_cause == FailureCause.FAILURE_CAUSE_INTERNAL
            for row in rows
        )
        trial.expect(internal == _POISONED, f"{internal} of {_POISONED} were set aside as Failed, internal")
        trial.notes.append(f"the Signer died {world.signer.deaths} times")
        trial.expect(world.signer.deaths >= 3 * _POISONED, "set aside before three crashes while alone")


def _poison(world: World, number: int) -> Message:
    usual = message(f"{_PREFIX}{number}", world.sites[number].domain)
    usual.content = f"{poisoned_signer.MARK}: yes\r\n".encode() + usual.content
    return usual


def _final(world: World) -> int:
    return sum(name.startswith(_PREFIX) for name in world.oracle.final)


ROW = Row(
    "F19",
    f"{_POISONED} messages kill the Signer whenever it sees them",
    "after three crashes while alone each is Failed, internal; 0 lost, 0 duplicates among the others",
    0.25,
    _run,
)
