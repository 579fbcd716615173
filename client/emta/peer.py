"""A service as the client calls it: connected to when first used, its errors as Problems."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import grpc

from emta.channel import connect
from emta.problems import Problem

_CALL_SECONDS = 30.0
# A service that restarts is back within seconds; who waits a minute has waited enough.
PATIENCE_SECONDS = 60.0
_AGAIN_SECONDS = 1.0
# Whoever waits longer wants to know for what.
LATE_SECONDS = 1.5

Request = TypeVar("Request")
Answer = TypeVar("Answer")
OnWait = Callable[[str], None]


class Peer:
    """A service at a target. Every call raises emta.problems.Problem and nothing else of gRPC."""

    def __init__(self, name: str, target: str, on_wait: OnWait | None = None) -> None:
        """`name`: as messages call it, for example "Bounce"; `on_wait`: told what is waited for, once."""
        self._name = name
        self.target = target
        self._on_wait = on_wait
        self._told = ""
        self._channel: grpc.aio.Channel | None = None

    @property
    def channel(self) -> grpc.aio.Channel:
        """For stubs."""
        if self._channel is None:
            self._channel = connect(self.target)
        return self._channel

    async def close(self) -> None:
        """Close the connection; the next call opens another one."""
        if self._channel is not None:
            channel, self._channel = self._channel, None
            await channel.close()

    async def ask(
        self, method: grpc.aio.UnaryUnaryMultiCallable[Request, Answer], request: Request
    ) -> Answer:
        """Call a method that is answered once."""
        try:
            with self.late():
                return await method(request, timeout=_CALL_SECONDS)
        except grpc.aio.AioRpcError as error:
            raise self.problem(error) from None

    async def pages(
        self, method: grpc.aio.UnaryUnaryMultiCallable[Request, Answer], request: Request
    ) -> AsyncIterator[Answer]:
        """Call a method that lists (page_token in, next_page_token out) until there is no more."""
        asked: Any = request
        while True:
            page: Any = await self.ask(method, asked)
            yield page
            if not page.next_page_token:
                return
            asked.page_token = page.next_page_token

    async def follow(self, begin: Callable[[], AsyncIterable[Answer]]) -> AsyncIterator[Answer]:
        """Read a stream to its end, over reconnections: `begin` calls for it, or for what is left of it."""
        waited = 0.0
        while True:
            try:
                with self.late(connecting=True):
                    async for answer in begin():
                        waited, self._told = 0.0, ""
                        yield answer
                    return
            except grpc.aio.AioRpcError as error:
                problem = self.problem(error)
                if not problem.is_transient or waited >= PATIENCE_SECONDS:
                    raise problem from None
                self.tell(f"{problem.message}; trying again")
            waited += _AGAIN_SECONDS
            await asyncio.sleep(_AGAIN_SECONDS)

    def tell(self, text: str) -> None:
        """Say what is waited for, unless that was the last that was said."""
        if self._on_wait is not None and text != self._told:
            self._told = text
            self._on_wait(text)

    @contextmanager
    def late(self, *, connecting: bool = False) -> Iterator[None]:
        """Say what is waited for when the block takes long.

        `connecting`: only where no connection stands by then. A stream is silent when nothing happens.
        """

        def tell() -> None:
            if not (connecting and self.channel.get_state() is grpc.ChannelConnectivity.READY):
                self.tell(f"waiting for {self._name} at {self.target} ...")

        timer = asyncio.get_running_loop().call_later(LATE_SECONDS, tell)
        try:
            yield
        finally:
            timer.cancel()

    def problem(self, error: grpc.aio.AioRpcError) -> Problem:
        """Say what went wrong; what gRPC says of it, in our own words and with who was asked."""
        problem = Problem.from_rpc_error(error)
        if problem.reason != problem.code.name:
            return problem  # the service itself says it
        if problem.code is grpc.StatusCode.UNAVAILABLE:
            text = f"{self._name} at {self.target} does not answer: {_cause(problem.message)}"
        elif problem.code is grpc.StatusCode.DEADLINE_EXCEEDED:
            text = f"{self._name} at {self.target} has not answered within {_CALL_SECONDS:.0f} s"
        elif problem.code is grpc.StatusCode.UNIMPLEMENTED:
            text = (
                f"what answers at {self.target} is not {self._name}, or an older one; "
                f"EMTA_CLIENT_{self._name.upper()} says where it is"
            )
        else:
            return problem
        return Problem(problem.code, problem.reason, text)


def _cause(text: str) -> str:
    """Give the cause out of gRPC's words, which tell the whole way to it, parted by colons."""
    if text.startswith("errors resolving "):
        return "its name cannot be resolved"
    return text.rpartition(": ")[2].lower()
