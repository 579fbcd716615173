"""The Signer's RPCs: proto in, proto out."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

import grpc
from opentelemetry.trace import SpanKind

from emta.problems import Problem, failed_precondition, invalid
from emta.signer.v1 import signer_service_pb2_grpc
from emta.signer.v1.signer_service_pb2 import (
    KeyAlgorithm,
    ListSigningKeysRequest,
    ListSigningKeysResponse,
    SigningKey,
    SignItem,
    SignRequest,
    SignResponse,
    SignResult,
)
from services.chassis.clock import Clock
from services.chassis.telemetry import begin_span
from services.signer.dkim_signature import MessageError, UnsignedMessage
from services.signer.keys import Key, KeyStore, is_domain

_MAX_ITEMS = 1_000
_SHA256_BYTES = 32
_DAY_SECONDS = 86_400


class SignerService(signer_service_pb2_grpc.SignerServiceServicer):
    """Signs with the keys of one store, in `threads` threads (`cryptography` releases the GIL)."""

    def __init__(self, keys: KeyStore, clock: Clock, threads: int, signature_days: float) -> None:
        self._keys = keys
        self._clock = clock
        self._threads = threads
        self._lifetime = round(signature_days * _DAY_SECONDS)
        self._pool = ThreadPoolExecutor(threads, "sign")

    def close(self) -> None:
        """Give the threads back."""
        self._pool.shutdown()

    async def Sign(self, request: SignRequest, context: grpc.aio.ServicerContext[Any, Any]) -> SignResponse:
        """Sign a batch, its items spread over the threads."""
        if not request.items:
            raise invalid("items", "BATCH_EMPTY", "items is empty")
        if len(request.items) > _MAX_ITEMS:
            raise invalid("items", "BATCH_TOO_LARGE", f"items has more than {_MAX_ITEMS} items")
        items = list(request.items)
        share = -(-len(items) // self._threads)
        now = self._clock.now_ms() // 1000
        loop = asyncio.get_running_loop()
        shares = [
            loop.run_in_executor(self._pool, self._sign_all, items[start : start + share], now)
            for start in range(0, len(items), share)
        ]
        return SignResponse(results=chain.from_iterable(await asyncio.gather(*shares)))

    def _sign_all(self, items: Sequence[SignItem], now: int) -> list[SignResult]:
        return [self._sign(item, now) for item in items]

    def _sign(self, item: SignItem, now: int) -> SignResult:
        span = begin_span("signer", "signer.sign", item.traceparent, kind=SpanKind.SERVER)
        try:
            _check_names(item)
            message = _message(item)
            key = self._key(item.domain or message.from_domain(), item.selector)
            span.set(emta__signing_domain=key.domain, emta__selector=key.selector)
            signature = message.sign(key, now, now + self._lifetime)
        # The last two: a From that Python's parsers break on. One item may not end its batch.
        except (MessageError, UnicodeError, RecursionError) as error:
            problem = invalid("input", "FROM_MISSING", str(error))
        except Problem as error:
            problem = error
        else:
            span.end()
            return SignResult(signature_header=signature)
        span.fail(problem.reason)
        span.end()
        return SignResult(error=problem.to_status())

    def _key(self, domain: str, selector: str) -> Key:
        key = self._keys.find(domain.lower(), selector)
        if key is None:
            name = f"{selector or '(current)'}._domainkey.{domain}"
            raise failed_precondition("NO_KEY", f"there is no usable key for {name}", domain=domain)
        return key

    async def ListSigningKeys(
        self, request: ListSigningKeysRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> ListSigningKeysResponse:
        """List the public sides of the keys."""
        return ListSigningKeysResponse(
            keys=[self._public(key) for key in self._keys.list(request.domain.lower())]
        )

    def _public(self, key: Key) -> SigningKey:
        public = SigningKey(
            domain=key.domain,
            selector=key.selector,
            algorithm=KeyAlgorithm.KEY_ALGORITHM_RSA_SHA256,
            bits=key.bits,
            dns_record=key.dns_record,
            current=self._keys.is_current(key),
        )
        public.load_time.FromMilliseconds(key.load_ms)
        return public


def _check_names(item: SignItem) -> None:
    if item.domain and not is_domain(item.domain):
        raise invalid("domain", "DOMAIN_INVALID", "domain is not a domain name in A-labels")
    if item.selector and not is_domain(item.selector):
        raise invalid("selector", "SELECTOR_INVALID", "selector is not a sequence of DNS labels")


def _message(item: SignItem) -> UnsignedMessage:
    match item.WhichOneof("input"):
        case "content":
            return UnsignedMessage.of(item.content)
        case "header_and_body_hash":
            given = item.header_and_body_hash
            if len(given.body_sha256) != _SHA256_BYTES:
                raise invalid(
                    "header_and_body_hash.body_sha256",
                    "BODY_HASH_INVALID",
                    f"body_sha256 must be {_SHA256_BYTES} bytes",
                )
            return UnsignedMessage(given.header_block, given.body_sha256)
        case _:
            raise invalid("input", "INPUT_MISSING", "neither content nor header_and_body_hash is given")
