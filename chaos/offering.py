"""`python -m chaos.offering`: offers messages at a rate, in a process of its own that does nothing else.

Prints, as JSON, what the source was answered: accepted (when, monotonic), errors, without_delay, seconds
(of each admitted batch), rate (that was really offered).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time

from chaos.source import Source, message

_BATCH = 100


async def _offer(relay: str, rate: float, seconds: float, domains: list[str]) -> dict[str, object]:
    source = Source(relay, domains)
    batches = [
        [message(f"ok-{n:06d}", domains[n % len(domains)]) for n in range(start, start + _BATCH)]
        for start in range(0, round(rate * seconds), _BATCH)
    ]
    began = time.monotonic()
    for number, batch in enumerate(batches):
        await asyncio.sleep(max(0.0, began + number * _BATCH / rate - time.monotonic()))
        source.submit_in_background(batch)
    took = time.monotonic() - began
    await source.until_answered()
    await source.close()
    return {
        "accepted": source.accepted,
        "errors": source.errors,
        "without_delay": source.without_delay,
        "seconds": source.seconds,
        "rate": len(batches) * _BATCH / took,
    }


def main() -> None:
    """Read the arguments, offer, print."""
    parser = argparse.ArgumentParser(
        prog="python -m chaos.offering", description="Offer messages at a rate."
    )
    parser.add_argument("relay", help="target of gRPC")
    parser.add_argument("--rate", type=float, required=True, help="messages a second")
    parser.add_argument("--seconds", type=float, required=True, help="for so long")
    parser.add_argument("domains", nargs="+", help="recipients' domains, in turn")
    options = parser.parse_args()
    print(json.dumps(asyncio.run(_offer(options.relay, options.rate, options.seconds, options.domains))))


if __name__ == "__main__":
    main()
