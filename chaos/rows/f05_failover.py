"""F5: the primary dies while its replica lags, and the replica takes over.

The replica is stopped and its link stalled, so that nothing of what the primary writes can hide in socket
buffers; then the primary dies and the link with it. Feedback has a store of its own here: what the replica
lacks must not be missing from the log as well.
"""

import asyncio
import signal
import time

from chaos.proxy import Fault, Proxy
from chaos.sites import Delivery
from chaos.trial import Row, Skipped, Trial
from chaos.valkey import Valkey
from chaos.world import Plan, World
from services.relay.settings import RelaySettings

_LAG_SECONDS = 5.0
# The call under way when the replica stopped may still end well, and the wait for it takes its time.
_WIND_DOWN_SECONDS = 1.5
_RECOVERY_SECONDS = 5.0


async def _run(trial: Trial) -> None:
    if "min_replica_acks" not in RelaySettings.model_fields:
        raise Skipped("setting missing: EMTA_RELAY_MIN_REPLICA_ACKS")
    plan = Plan(
        own_ledger=True,
        store_config="repl-diskless-sync-delay 0",
        environ={"EMTA_RELAY_MIN_REPLICA_ACKS": "1"},
    )
    async with trial.world(plan) as world, Proxy(world.store.address) as link:
        replica = Valkey(
            world.folder / "replica", f"replicaof {' '.join(_address(link))}\nrepl-diskless-sync-delay 0"
        )
        async with replica, Proxy(replica.address) as link_back:
            await _until_in_step(replica)
            async with world.load():
                await asyncio.sleep(1)
                unrecorded = await _fail_over(trial, world, link, replica, link_back)
            recovery = trial.lease_seconds + _RECOVERY_SECONDS
            await trial.judge(world, excused=unrecorded, recovery_seconds=recovery)


async def _fail_over(
    trial: Trial, world: World, link: Proxy, replica: Valkey, link_back: Proxy
) -> list[Delivery]:
    """Let the replica lag and the primary die; gives what was delivered meanwhile."""
    trial.progress("the replica lags")
    lagging = time.monotonic()
    replica.send(signal.SIGSTOP)
    await link.impose(Fault.BLACKHOLE)
    await asyncio.sleep(_LAG_SECONDS)
    trial.progress("the replica takes over")
    died = time.monotonic()
    await world.store.kill()
    await link.impose(Fault.REFUSE)
    replica.send(signal.SIGCONT)
    async with replica.client() as client:
        await client.replicaof("NO", "ONE")
    for to_store in world.to_store:
        to_store.upstream = replica.address
    # The old primary comes back as the new one's replica: without any, nothing is accepted.
    await world.store.start()
    async with world.store.client() as client:
        await client.replicaof(*_address(link_back))
    await _until_in_step(world.store)
    world.healed()
    accepted = world.source.accepted.values()
    anyway = sum(lagging + _WIND_DOWN_SECONDS <= at <= died for at in accepted)
    trial.expect(not anyway, f"{anyway} messages accepted without a replica")
    begun = world.begun(lagging + trial.lease_seconds + _WIND_DOWN_SECONDS, died)
    trial.expect(not begun, f"{begun} transactions began though nothing could be recorded")
    return world.journalled(lagging - _WIND_DOWN_SECONDS, time.monotonic())


async def _until_in_step(replica: Valkey) -> None:
    async with replica.client() as client:
        while (await client.info("replication"))["master_link_status"] != "up":  # noqa: ASYNC110 -- Valkey tells nobody
            await asyncio.sleep(0.05)


def _address(link: Proxy) -> tuple[str, str]:
    host, _, port = link.address.rpartition(":")
    return host, port


ROW = Row(
    "F5",
    "the primary dies while its replica is stopped and lags; the replica takes over",
    "EMTA_RELAY_MIN_REPLICA_ACKS=1: 0 lost; while no replica acknowledges nothing is accepted, and after a "
    "lease nothing begun; duplicates: what was delivered meanwhile. (Without the setting a "
    "failover may lose mail: one primary only.)",
    0.25,
    _run,
)
