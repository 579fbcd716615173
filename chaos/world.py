"""The world of a row: emta as real processes, a proxy on every link, receivers, a source, an oracle."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from chaos.oracle import Oracle
from chaos.process import Service
from chaos.proxy import Proxy
from chaos.sites import Delivery, Sites
from chaos.source import DELIVERY, RATE, Source
from chaos.valkey import Valkey
from chaos.waiting import until
from demo.machine import SENDER_DOMAIN
from emta.client import Client
from services.signer.keygen import make_key

# A transaction counts as past the dot for this long after its answer: what a Relay could not write down
# meanwhile it was too slow for, not unlucky.
_RECORD_SECONDS = 1.0
# A backlog that is not gone by then stays, and the row goes on with it.
_STEADY_SECONDS = 10.0


@dataclass
class World:
    """What runs, and the links between it. `to_store[i]` is the link of `relays[i]`."""

    folder: Path
    sites: Sites
    store: Valkey
    ledger_store: Valkey
    signer: Service
    bounce: Service
    feedback: Service
    to_signer: Proxy
    to_bounce: Proxy
    to_feedback: Proxy
    feedback_to_store: Proxy
    client: Client
    source: Source
    oracle: Oracle
    least_messages: int
    relays: list[Service] = field(default_factory=list)
    to_store: list[Proxy] = field(default_factory=list)
    fault_over: float = field(default_factory=time.monotonic)

    def load(self, rate: float = RATE) -> AbstractAsyncContextManager[None]:
        """Steady load for as long as the block lasts, and at least the row's share of messages."""
        return self.source.load(self.least_messages, rate)

    def healed(self) -> None:
        """The fault is over: recovery counts from here."""
        self.fault_over = time.monotonic()

    def past_dot(self) -> list[Delivery]:
        """The deliveries that were past the dot when their connection was cut, by the receivers' word."""
        return [
            delivery
            for delivery, at in self.sites.cut
            if delivery.answered is None or at - delivery.answered < _RECORD_SECONDS
        ]

    def journalled(self, since: float, until: float) -> list[Delivery]:
        """The deliveries of a while."""
        return [delivery for delivery in self.sites.journal if since <= delivery.journalled <= until]

    def begun(self, since: float, until: float, relay: str = "") -> int:
        """How many transactions began in a while, of all Relays or of one."""
        return sum(since <= at <= until and relay in ("", name) for at, name in self.sites.begun)

    @property
    def backlog(self) -> int:
        """Messages that were submitted and have no final status yet."""
        unfinished = sum(message_id not in self.oracle.final for message_id in self.source.accepted)
        return unfinished + self.source.unanswered

    async def until_steady(self) -> None:
        """Wait until the backlog of a fault is gone, and the load is what is at work."""
        await until(lambda: self.backlog <= RATE / 2, _STEADY_SECONDS)

    async def quiet(self) -> None:
        """Wait until everything accepted so far has its final status."""
        await self.oracle.until_final(lambda: self.source.accepted, 30.0)


@dataclass(frozen=True)
class Plan:
    """How a world differs from the usual one.

    environ: settings of any service. signer: the module that signs. own_ledger: Feedback has a store of its
    own. direct: Relays reach the store past the proxy, without the millisecond that it costs. embedded: the
    folder in which the Relay keeps an embedded store, instead of an external one.
    """

    relays: int = 1
    environ: Mapping[str, str] = field(default_factory=dict)
    signer: str = "services.signer"
    own_ledger: bool = False
    direct: bool = False
    embedded: Path | None = None
    store_config: str = ""
    store_environ: Mapping[str, str] = field(default_factory=dict)
    extra_domains: tuple[str, ...] = ()


@asynccontextmanager
async def running(folder: Path, plan: Plan, *, lease_seconds: float, messages: int) -> AsyncIterator[World]:
    """Start a world below `folder`; at the end all of it is killed."""
    make_key(SENDER_DOMAIN, "s1", folder / "dkim")
    async with AsyncExitStack() as stack:
        sites = Sites()
        for domain in plan.extra_domains:
            sites.add(domain)
        await stack.enter_async_context(sites)
        store = Valkey(folder / "store", plan.store_config, plan.store_environ)
        await stack.enter_async_context(store)
        ledger_store = store
        if plan.own_ledger:
            ledger_store = await stack.enter_async_context(Valkey(folder / "ledger"))
        builder = _Builder(folder, plan, stack)
        settings = _settings(folder, sites, plan, lease_seconds)
        feedback_to_store = await stack.enter_async_context(Proxy(ledger_store.address))
        for name in ("BOUNCE", "FEEDBACK"):
            settings[f"EMTA_{name}_REDIS_URL"] = f"redis://{feedback_to_store.address}/0"

        services = await asyncio.gather(
            builder.service("signer", plan.signer, settings, 1),
            builder.service("bounce", "services.bounce", settings, 1),
            builder.service("feedback", "services.feedback", settings, 2),
        )
        (signer, (to_signer,)), (bounce, (to_bounce,)), (feedback, (to_feedback, to_log)) = services
        settings |= {
            "EMTA_RELAY_SIGNER": to_signer.address,
            "EMTA_RELAY_BOUNCE": to_bounce.address,
            "EMTA_RELAY_FEEDBACK": to_feedback.address,
        }
        to_store = [await stack.enter_async_context(Proxy(store.address)) for _ in range(plan.relays)]
        relays = await asyncio.gather(
            *(builder.relay(number, settings, link) for number, link in enumerate(to_store))
        )
        target = "ipv4:" + ",".join(front.address for _, front in relays)
        client = await stack.enter_async_context(Client(target, to_log.address))
        await client.open_delivery(DELIVERY)
        oracle = Oracle(client, DELIVERY)
        watching = asyncio.create_task(oracle.watch())
        stack.callback(watching.cancel)
        source = Source(target, [site.domain for site in sites][:8])
        stack.push_async_callback(source.close)
        yield World(
            folder,
            sites,
            store,
            ledger_store,
            signer,
            bounce,
            feedback,
            to_signer,
            to_bounce,
            to_feedback,
            feedback_to_store,
            client,
            source,
            oracle,
            messages,
            relays=[relay for relay, _ in relays],
            to_store=to_store,
        )


class _Builder:
    """Starts services and the proxies before them."""

    def __init__(self, folder: Path, plan: Plan, stack: AsyncExitStack) -> None:
        self._folder, self._plan, self._stack = folder, plan, stack

    async def service(
        self, name: str, module: str, settings: Mapping[str, str], links: int
    ) -> tuple[Service, list[Proxy]]:
        """Start a service behind so many proxies."""
        proxies = [await self._stack.enter_async_context(Proxy()) for _ in range(links)]

        def serving(address: str) -> None:
            for proxy in proxies:
                proxy.upstream = address

        prefixes = (f"EMTA_{name.partition('-')[0].upper()}_", "OTEL_")
        own = {key: value for key, value in settings.items() if key.startswith(prefixes)}
        service = Service(name, module, own, self._folder / f"{name}.log", serving)
        self._stack.push_async_callback(service.stop)
        await service.start()
        return service, proxies

    async def relay(
        self, number: int, settings: Mapping[str, str], to_store: Proxy
    ) -> tuple[Service, Proxy]:
        """Start a Relay on its own link to the store."""
        if self._plan.direct:
            store = {"EMTA_RELAY_REDIS_URL": to_store.upstream.replace("unix:", "unix://", 1)}
        elif self._plan.embedded is None:
            store = {"EMTA_RELAY_REDIS_URL": f"redis://{to_store.address}/0"}
        else:
            store = {"EMTA_RELAY_DATA_DIR": str(self._plan.embedded)}
        name = {"EMTA_RELAY_EHLO_NAME": relay_name(number)}
        relay, (front,) = await self.service(
            f"relay-{number}", "services.relay", {**settings, **store, **name}, 1
        )
        return relay, front


def relay_name(number: int) -> str:
    """What a Relay calls itself in EHLO."""
    return f"mta{number}.{SENDER_DOMAIN}"


def _settings(folder: Path, sites: Sites, plan: Plan, lease_seconds: float) -> dict[str, str]:
    settings = {
        "EMTA_SIGNER_KEYS_DIR": str(folder / "dkim"),
        "EMTA_FEEDBACK_STORE_TIMEOUT_SECONDS": "1",
        "EMTA_RELAY_STORE_TIMEOUT_SECONDS": "1",
        "EMTA_RELAY_RESOLVERS": sites.dns.address,
        "EMTA_RELAY_DNS_TIMEOUT_SECONDS": "1",
        "EMTA_RELAY_SMTP_PORT": str(sites.port),
        "EMTA_RELAY_STARTTLS": "false",
        # The receivers live on loopback, where no MX may point otherwise.
        "EMTA_RELAY_ALLOWED_NETWORKS": "127.0.0.0/8",
        "EMTA_RELAY_LEASE_SECONDS": str(lease_seconds),
        # What takes minutes in the field takes moments here: first retry after 0.15 s, the cap is 5 s.
        "EMTA_RELAY_RETRY_BASE_SECONDS": "0.1",
        "EMTA_RELAY_HOLD_SECONDS": "0.3",
        "EMTA_RELAY_COMMAND_TIMEOUT_SECONDS": "5",
        "EMTA_RELAY_DRAIN_SECONDS": "10",
    }
    for name in ("RELAY", "SIGNER", "BOUNCE", "FEEDBACK"):
        settings[f"EMTA_{name}_LISTEN"] = "127.0.0.1:0"
    return settings | dict(plan.environ)
