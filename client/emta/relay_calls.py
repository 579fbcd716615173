"""What the client asks of the Relay: a part of emta.client.Client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable

from emta.peer import Peer
from emta.relay.v1.message_pb2 import Message
from emta.relay.v1.relay_service_pb2 import SubmitResult
from emta.relay.v1.site_pb2 import MxRule, Site
from emta.relay.v1.site_service_pb2 import ListMxRulesRequest, ListSitesRequest
from emta.relay.v1.site_service_pb2_grpc import SiteServiceStub
from emta.submission import Submission


class RelayCalls:
    """Messages in, sites out."""

    _to_relay: Peer

    async def submit(
        self, messages: Iterable[Message], *, known: Callable[[int], None] | None = None
    ) -> AsyncIterator[SubmitResult]:
        """Submit messages in batches; yields one result per message as the Relay answers.

        What was not answered when a connection broke, or was put off by back pressure, is
        submitted again: the Relay knows messages by their ids and sends none twice. Gives up when
        nothing moves for a minute. At the end `known` is told how many the Relay had from an earlier
        run: these were not sent again, even where they had changed.
        """
        submission = Submission(self._to_relay, messages)
        async for result in submission.results():
            yield result
        if known is not None:
            known(submission.duplicates)

    async def sites(self, *, name_contains: str = "") -> AsyncIterator[Site]:
        """Give the sites of the last hour with their limits and use, page by page, in order of name."""
        request = ListSitesRequest(name_contains=name_contains, page_size=500)
        stub = SiteServiceStub(self._to_relay.channel)
        async for page in self._to_relay.pages(stub.ListSites, request):
            for site in page.sites:
                yield site

    async def mx_rules(self) -> list[MxRule]:
        """Give the MX rules in force, the default first."""
        stub = SiteServiceStub(self._to_relay.channel)
        answer = await self._to_relay.ask(stub.ListMxRules, ListMxRulesRequest())
        return list(answer.rules)
