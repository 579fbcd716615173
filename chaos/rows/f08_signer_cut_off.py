"""F8: the Relay is cut off from the Signer."""

import asyncio
import time

from chaos.oracle import SENT
from chaos.proxy import Fault
from chaos.trial import Row, Trial
from emta.feedback.v1.outcome_pb2 import HoldCause

_CUT_SECONDS = 3.0
# What was signed before is delivered.
_WIND_DOWN_SECONDS = 1.0
_RECOVERY_SECONDS = 5.0


async def _run(trial: Trial) -> None:
    async with trial.world() as world:
        async with world.load():
            for fault in (Fault.BLACKHOLE, Fault.REFUSE):
                await asyncio.sleep(1)
                trial.progress(f"Signer: {fault.value}")
                began = time.monotonic()
                await world.to_signer.impose(fault)
                await asyncio.sleep(_CUT_SECONDS)
                left = len(world.journalled(began + _WIND_DOWN_SECONDS, time.monotonic()))
                await world.to_signer.heal()
                trial.expect(not left, f"{left} messages left without the Signer ({fault.value})")
            world.healed()
        await trial.judge(world, most_duplicates=0, recovery_seconds=_RECOVERY_SECONDS)
        held = world.oracle.held[HoldCause.HOLD_CAUSE_SIGNER_UNAVAILABLE]
        trial.expect(held > 0, "nobody was told that messages wait for the Signer")
        charged = [
            entry.message_id
            for entry in world.oracle.rows.values()
            if entry.status == SENT and entry.retry_count > entry.message_id.startswith("busy-")
        ]
        trial.expect(not charged, f"the wait cost {len(charged)} messages an attempt")


ROW = Row(
    "F8",
    "partition between Relay and Signer: blackhole, then refused",
    "0 lost, 0 duplicates; nothing leaves unsigned; messages wait with the reason told, and it costs "
    "them no attempt",
    0.25,
    _run,
)
