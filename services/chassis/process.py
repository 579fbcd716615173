"""The life of a service process: settings, logs, traces, signals, an orderly end."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import NoReturn, Protocol, TypeVar

from redis.exceptions import RedisError

from emta.problems import Problem, in_words
from services.chassis import logs, telemetry
from services.chassis.embedded_store import StoreError
from services.chassis.settings import ServiceSettings, SettingsError, describe, load_settings

EXIT_FAILED = 1
EXIT_BAD_INPUT = 2

S = TypeVar("S", bound=ServiceSettings)


class Running(Protocol):
    """A service that serves."""

    @property
    def address(self) -> str:
        """Where it serves, host:port."""
        ...


App = Callable[[S], AbstractAsyncContextManager[Running]]


def main(
    name: str,
    settings_class: type[S],
    app: App[S],
    supervise: Callable[[S], AbstractAsyncContextManager[Running] | None] = lambda settings: None,
    commands: str = "",
) -> NoReturn:
    """Run the service `name` until SIGTERM or SIGINT; a second one ends it at once.

    Where `supervise` gives something for the settings, that runs in place of `app`. `commands`: what help
    says of those that the service has beside serving, a line each.
    """
    listed = f"commands:\n{commands}\n\n" if commands else ""
    parser = argparse.ArgumentParser(
        prog=f"python -m services.{name}",
        description=f"Run the {name.capitalize()} service.",
        epilog=f"{listed}settings (environment):\n" + describe(settings_class),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--check", action="store_true", help="read the settings, say ok, and stop")
    arguments = parser.parse_args()
    try:
        settings = load_settings(settings_class)
    except SettingsError as error:
        print(f"{name}: {error}", file=sys.stderr)
        raise SystemExit(EXIT_BAD_INPUT) from None
    if arguments.check:
        print("ok")
        raise SystemExit(0)
    logs.setup(settings.log_level)
    provider = telemetry.setup(name)
    try:
        run(_serve(name, settings, supervise(settings) or app(settings)))
    except (StoreError, OSError, RedisError, Problem) as error:
        store = f"the store (EMTA_{name.upper()}_REDIS_URL): " if isinstance(error, RedisError) else ""
        print(f"{name}: {store}{in_words(error)}", file=sys.stderr)
        raise SystemExit(EXIT_FAILED) from None
    finally:
        telemetry.shut_down(provider)
    raise SystemExit(0)


def run(coroutine: object) -> None:
    """Run a coroutine on the fastest event loop there is."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(coroutine)  # type: ignore[arg-type]
    else:
        uvloop.run(coroutine)  # type: ignore[arg-type]


async def _serve(name: str, settings: S, service: AbstractAsyncContextManager[Running]) -> None:
    stopping = asyncio.Event()
    _on_signals(stopping)
    log = logs.Log(name)
    async with service as running:
        _collect_rarely()
        log.info("serving", address=running.address, pid=os.getpid())
        await stopping.wait()
        log.info("draining", seconds=settings.drain_seconds)
    log.info("stopped")


def _collect_rarely() -> None:
    """What start-up has made lives as long as the process, and what is under way is no garbage either: with
    Python's defaults an eighth of the Relay's time goes into looking at both, again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


def _on_signals(stopping: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()

    def stop() -> None:
        if stopping.is_set():
            os._exit(EXIT_FAILED)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
