"""`python -m bench dns`: what it costs to find a domain's mail servers, cold and warm.

Routes of 50,000 domains, 25 to a mail server, asked of a name server in a process of its own that answers
at once. `cold`: each domain once, nothing known. `mix`: recipients' domains drawn by Zipf's law (s = 1),
nothing known at the beginning. `warm`: the same draw again. `dnspython`: its resolver, asked for the same
records of some of the domains.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import random
import resource
import sys
import time
from collections.abc import Iterable
from contextlib import closing
from typing import Any

import dns.asyncresolver
import dns.nameserver
import uvloop

from bench import report
from bench.child import Child
from bench.names import Names, hosted_domain
from services.chassis.clock import SystemClock
from services.relay.mx import MxResolver

_DOMAINS, _OF_DNSPYTHON = 50_000, 2_000
# Look-ups at one time, as many as a Relay makes that has a full queue.
_AT_ONCE = 200


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the command takes."""
    parser.add_argument("--runs", type=int, default=3, help="how often; medians are shown (default: 3)")
    parser.add_argument(
        "--messages", type=int, default=200_000, help="recipients of the mix (default: 200,000)"
    )


async def run(arguments: argparse.Namespace) -> int:
    """Measure; gives the exit code."""
    figures: dict[str, list[dict[str, float]]] = {}
    async with Child("bench.dns") as server:
        address = (await server.hear())["address"]
        for number in range(arguments.runs):
            told = await asyncio.to_thread(_measured, address, arguments.messages, number)
            for name, figure in told.items():
                figures.setdefault(name, []).append(figure)
            report.say(
                "  " + "   ".join(f"{name} [bold]{f['cpu_us']:,.1f}[/] us" for name, f in told.items())
            )
    medians = {
        name: {key: report.median([each[key] for each in runs]) for key in runs[0]}
        for name, runs in figures.items()
    }
    for name, median in medians.items():
        report.say(
            f"{name:10} [bold]{median['cpu_us']:8,.1f}[/] us CPU a look-up, "
            f"[bold]{median['per_second']:10,.0f}[/]/s, {median['hit_percent']:5.1f} % known"
        )
    report.say(f"What is known of a domain takes {medians['cold']['octets_a_domain']:,.0f} octets.")
    report.write("dns", {"medians": medians, "runs": figures})
    return 0


def _measured(address: str, messages: int, seed: int) -> dict[str, dict[str, float]]:
    return uvloop.run(_measure(address, messages, seed))


async def _measure(address: str, messages: int, seed: int) -> dict[str, dict[str, float]]:
    dice = random.Random(seed)
    domains = [hosted_domain(number) for number in range(_DOMAINS)]
    weights = list(itertools.accumulate(1 / rank for rank in range(1, _DOMAINS + 1)))
    drawn = dice.choices(domains, cum_weights=weights, k=messages)
    with closing(_resolver(address)) as resolver:
        cold = await _timed(resolver, domains)
    with closing(_resolver(address)) as resolver:
        mix = await _timed(resolver, drawn)
        warm = await _timed(resolver, drawn)
    return {"cold": cold, "mix": mix, "warm": warm, "dnspython": await _dnspython(address, domains)}


def _resolver(address: str) -> MxResolver:
    return MxResolver([address], SystemClock(), timeout_seconds=5, ehlo_name="relay.bench")


async def _timed(resolver: MxResolver, domains: list[str]) -> dict[str, float]:
    """Look up as the Relay does: what is known costs no task."""
    asked = 0
    before, began, cpu = _resident(), time.monotonic(), time.process_time()

    async def work(domains: Iterable[str]) -> None:
        nonlocal asked
        for domain in domains:
            if resolver.known(domain) is None:
                asked += 1
                await resolver.route(domain)

    shared = iter(domains)
    await asyncio.gather(*(work(shared) for _ in range(_AT_ONCE)))
    return _figures(len(domains), asked, began, cpu, _resident() - before)


async def _dnspython(address: str, domains: list[str]) -> dict[str, float]:
    host, _, port = address.rpartition(":")
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = [dns.nameserver.Do53Nameserver(host, int(port))]
    began, cpu = time.monotonic(), time.process_time()

    async def work(domains: Iterable[str]) -> None:
        for domain in domains:
            answer = await resolver.resolve(domain, "MX", search=False)
            name = str(answer[0].exchange)
            for kind in ("A", "AAAA"):
                await resolver.resolve(name, kind, search=False, raise_on_no_answer=False)

    shared = iter(domains[:_OF_DNSPYTHON])
    await asyncio.gather(*(work(shared) for _ in range(_AT_ONCE)))
    return _figures(_OF_DNSPYTHON, _OF_DNSPYTHON, began, cpu, 0)


def _figures(lookups: int, asked: int, began: float, cpu: float, octets: int) -> dict[str, float]:
    return {
        "cpu_us": round((time.process_time() - cpu) / lookups * 1e6, 2),
        "per_second": round(lookups / (time.monotonic() - began)),
        "hit_percent": round(100 * (1 - asked / lookups), 1),
        "octets_a_domain": round(max(0, octets) / max(1, asked)),
    }


def _resident() -> int:
    """Most memory so far, octets."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


async def _serve() -> None:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        Names, local_addr=("127.0.0.1", 0)
    )
    names: Any = transport.get_extra_info("sockname")
    print(f'{{"address": "127.0.0.1:{names[1]}"}}', flush=True)
    # Ends with the one that started us.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(_serve())
