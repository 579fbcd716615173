"""RPCs about sites and their limits: proto in, proto out. Any Relay answers for all."""

from __future__ import annotations

from typing import Any

import grpc

from emta.relay.v1 import site_pb2, site_service_pb2_grpc
from emta.relay.v1.site_service_pb2 import (
    ListMxRulesRequest,
    ListMxRulesResponse,
    ListSitesRequest,
    ListSitesResponse,
)
from services.chassis.clock import Clock
from services.chassis.paging import page_size
from services.chassis.store import store_problems
from services.relay.mx_rules import MxRule, MxRules
from services.relay.store.limits import LimitStore, SiteUse

_MAX_PAGE = 1_000

_Context = grpc.aio.ServicerContext[Any, Any]


class SiteService(site_service_pb2_grpc.SiteServiceServicer):
    """Shows what the store has, under the rules of this Relay."""

    def __init__(self, store: LimitStore, rules: MxRules, clock: Clock) -> None:
        self._store = store
        self._rules = rules
        self._clock = clock

    async def ListSites(self, request: ListSitesRequest, context: _Context) -> ListSitesResponse:
        """List a page of the sites that were asked for lately."""
        size, now_ms = page_size(request.page_size, _MAX_PAGE), self._clock.now_ms()
        with store_problems():
            names = [
                name
                for name in await self._store.names(now_ms)
                if name > request.page_token and request.name_contains in name
            ]
            page = [(name, self._rules.named(name)) for name in names[:size]]
            found = await self._store.use(page, now_ms)
        return ListSitesResponse(
            sites=[_site(use, rule) for use, (_, rule) in zip(found, page, strict=True)],
            next_page_token=names[size - 1] if len(names) > size else "",
        )

    async def ListMxRules(self, request: ListMxRulesRequest, context: _Context) -> ListMxRulesResponse:
        """List all rules."""
        return ListMxRulesResponse(rules=[_rule(rule) for rule in (self._rules.default, *self._rules)])


def _site(use: SiteUse, rule: MxRule) -> site_pb2.Site:
    site = site_pb2.Site(
        name=use.name,
        rule=_rule(rule),
        connections=use.connections,
        relays=use.relays,
        tokens=use.tokens,
    )
    if use.ready_ms is not None:
        site.ready_time.FromMilliseconds(use.ready_ms)
    return site


def _rule(rule: MxRule) -> site_pb2.MxRule:
    return site_pb2.MxRule(
        name=rule.name,
        mx=rule.mx,
        connections=rule.connections,
        messages_per_connection=rule.messages_per_connection,
        messages_per_second=rule.messages_per_second,
        source=rule.source,
    )
