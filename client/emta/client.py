"""A thin asynchronous client of emta: submit messages, follow their delivery, read the figures.

    async with Client() as client:
        await client.open_delivery("spring-sale", to_deliver=2)
        async for result in client.submit(messages):
            ...
        await client.until_reported("spring-sale", accepted=2)
        await client.close_delivery("spring-sale")
        async for event in client.watch("spring-sale", stop_when_done=True):
            ...

Every method raises emta.problems.Problem and nothing else of gRPC.
"""

from __future__ import annotations

from types import TracebackType

from emta.bounce_calls import BounceCalls
from emta.feedback_calls import FeedbackCalls
from emta.peer import OnWait, Peer
from emta.relay_calls import RelayCalls


class Client(RelayCalls, FeedbackCalls, BounceCalls):
    """Connections to the Relay, Feedback and Bounce, opened when first used.

    Its methods stand by service in `relay_calls`, `feedback_calls` and `bounce_calls`.
    """

    def __init__(
        self,
        relay: str = "localhost:50051",
        feedback: str = "localhost:50054",
        bounce: str = "localhost:50053",
        *,
        on_wait: OnWait | None = None,
    ) -> None:
        """`on_wait`: told, in words for people, which service does not answer and is waited for."""
        self._to_relay = Peer("Relay", relay, on_wait)
        self._to_feedback = Peer("Feedback", feedback, on_wait)
        self._to_bounce = Peer("Bounce", bounce, on_wait)

    async def __aenter__(self) -> Client:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for peer in (self._to_relay, self._to_feedback, self._to_bounce):
            await peer.close()
