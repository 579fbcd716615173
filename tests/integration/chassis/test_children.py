"""Children start safely beside gRPC's threads, and end with their parent."""

from __future__ import annotations

import asyncio
import sys

from emta.channel import connect
from services.chassis.children import tethered
from services.chassis.rpc import Server
from tests.integration.chassis.echo import NAME, Echo
from tests.integration.chassis.processes import environ

_PARENT = """
import subprocess, sys, time
from services.chassis.children import tethered
child = "import time; print('up', flush=True); time.sleep(600)"
subprocess.Popen(tethered(sys.executable, "-c", child))
time.sleep(600)
"""


async def test_a_child_ends_when_its_parent_is_killed() -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _PARENT, stdout=asyncio.subprocess.PIPE, env=environ()
    )
    assert parent.stdout is not None
    assert await parent.stdout.readline() == b"up\n"

    parent.kill()

    # The child has the other end of the pipe: it ends only when the child does.
    async with asyncio.timeout(30):
        assert await parent.stdout.read() == b""
        await parent.wait()


async def test_children_start_whole_while_grpc_is_busy() -> None:
    server = Server("echo", "127.0.0.1:0", drain_seconds=0)
    Echo().add(server)

    async def busy() -> None:
        while True:
            await channel.unary_unary(f"/{NAME}/Unary")(b"x")

    codes = []
    async with server, connect(server.address) as channel:
        calling = [asyncio.create_task(busy()) for _ in range(4)]
        # Of children forked as preexec_fn forks them, one in five crashed.
        for _ in range(40):
            child = await asyncio.create_subprocess_exec(*tethered("/bin/true"))
            codes.append(await child.wait())
        for task in calling:
            task.cancel()
        await asyncio.gather(*calling, return_exceptions=True)
    assert codes == [0] * 40
