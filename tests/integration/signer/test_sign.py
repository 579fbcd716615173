"""The Signer's RPCs over real gRPC: an answer per item, and no item harms another."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import grpc
import pytest
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from emta.channel import connect
from emta.problems import Problem
from emta.signer.v1.signer_service_pb2 import (
    HeaderAndBodyHash,
    KeyAlgorithm,
    ListSigningKeysRequest,
    SignItem,
    SignRequest,
)
from emta.signer.v1.signer_service_pb2_grpc import SignerServiceStub
from services.signer.app import running
from services.signer.dkim_signature import body_sha256
from services.signer.settings import SignerSettings
from tests.integration.signer.conftest import AddKey
from tests.integration.signer.messages import MESSAGE, items, message, reason, tags, verifies
from tests.support.clock import START_MS, ManualClock

if TYPE_CHECKING:
    from emta.signer.v1.signer_service_pb2_grpc import SignerServiceAsyncStub

TRACE_ID = 0x4BF92F3577B34DA6A3CE929D0E0E4736
SAMPLED = f"00-{TRACE_ID:032x}-00f067aa0ba902b7-01"
HEADER_BLOCK, _, BODY = MESSAGE.partition(b"\r\n\r\n")


async def test_a_signed_message_verifies_by_the_record_that_the_signer_lists(
    signer: SignerServiceAsyncStub,
) -> None:
    (result,) = (await signer.Sign(SignRequest(items=items(MESSAGE)))).results
    keys = (await signer.ListSigningKeys(ListSigningKeysRequest(domain="shop.example"))).keys

    assert verifies(result.signature_header + MESSAGE, *keys)
    assert not verifies(result.signature_header + MESSAGE.replace(b"Bye", b"Buy"), *keys)


async def test_each_item_has_its_own_answer_in_the_order_of_the_request(
    signer: SignerServiceAsyncStub,
) -> None:
    short_hash = HeaderAndBodyHash(header_block=HEADER_BLOCK, body_sha256=b"short")
    asked = [
        SignItem(content=MESSAGE),
        SignItem(content=message("a@nokey.example")),
        SignItem(),
        SignItem(header_and_body_hash=short_hash),
        SignItem(content=b"To: a@b.example\r\n\r\nno From\r\n"),
        SignItem(content=b"no header at all"),
        SignItem(content=MESSAGE, selector="s9"),
        SignItem(content=message("a@other.example")),
    ]

    results = (await signer.Sign(SignRequest(items=asked))).results

    assert [reason(result) for result in results] == [
        "",
        "NO_KEY",
        "INPUT_MISSING",
        "BODY_HASH_INVALID",
        "FROM_MISSING",
        "FROM_MISSING",
        "NO_KEY",
        "",
    ]
    codes = {reason(r): Problem.from_status(r.error).code for r in results if reason(r)}
    assert codes.pop("NO_KEY") == grpc.StatusCode.FAILED_PRECONDITION
    assert set(codes.values()) == {grpc.StatusCode.INVALID_ARGUMENT}
    assert tags(results[7].signature_header)["d"] == "other.example"


@pytest.mark.parametrize(
    "sender",
    [
        b"<a@\xff\xfe.example>",
        "a@ü..example".encode(),
        f"a@{'ü' * 80}.example".encode(),
        b"(" * 5_000,
        b'"' * 5_000,
        b"\x00",
    ],
    ids=["not UTF-8", "empty label", "long label", "nested comments", "quotes", "NUL"],
)
async def test_a_from_that_nobody_can_read_harms_no_other_item(
    signer: SignerServiceAsyncStub, sender: bytes
) -> None:
    poison = b"From: " + sender + b"\r\n\r\nx\r\n"

    results = (await signer.Sign(SignRequest(items=items(MESSAGE, poison, MESSAGE)))).results

    assert [reason(result) for result in results] == ["", "FROM_MISSING", ""]


@pytest.mark.parametrize(("count", "expected"), [(0, "BATCH_EMPTY"), (1_001, "BATCH_TOO_LARGE")])
async def test_a_batch_has_1_to_1000_items(
    signer: SignerServiceAsyncStub, count: int, expected: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await signer.Sign(SignRequest(items=[SignItem(content=b"x")] * count))

    problem = Problem.from_rpc_error(raised.value)
    assert (problem.code, problem.reason) == (grpc.StatusCode.INVALID_ARGUMENT, expected)


async def test_a_batch_split_over_the_threads_stays_in_order(signer: SignerServiceAsyncStub) -> None:
    contents = [message("a@shop.example", n) for n in range(101)]

    results = (await signer.Sign(SignRequest(items=items(*contents)))).results

    keys = (await signer.ListSigningKeys(ListSigningKeysRequest())).keys
    assert all(
        verifies(result.signature_header + content, *keys)
        for result, content in zip(results, contents, strict=True)
    )


async def test_batches_at_the_same_time_do_not_mix(signer: SignerServiceAsyncStub) -> None:
    batches = [[message("a@shop.example", 10 * b + n) for n in range(7)] for b in range(8)]

    answers = await asyncio.gather(*(signer.Sign(SignRequest(items=items(*batch))) for batch in batches))

    keys = (await signer.ListSigningKeys(ListSigningKeysRequest())).keys
    for batch, answer in zip(batches, answers, strict=True):
        for content, result in zip(batch, answer.results, strict=True):
            assert verifies(result.signature_header + content, *keys)


async def test_both_forms_of_input_give_the_same_signature(signer: SignerServiceAsyncStub) -> None:
    hashed = [
        HeaderAndBodyHash(header_block=HEADER_BLOCK + end, body_sha256=body_sha256(BODY))
        for end in (b"\r\n", b"\r\n\r\n")
    ]
    asked = [SignItem(content=MESSAGE), *(SignItem(header_and_body_hash=one) for one in hashed)]

    # One batch has one time, so that t= is the same too.
    results = (await signer.Sign(SignRequest(items=asked))).results

    assert len({result.signature_header for result in results}) == 1
    assert results[0].signature_header


async def test_a_large_message_verifies(signer: SignerServiceAsyncStub) -> None:
    content = message("a@shop.example") + b"0123456789abcdef \t \r\n" * 250_000

    (result,) = (await signer.Sign(SignRequest(items=items(content)))).results

    keys = (await signer.ListSigningKeys(ListSigningKeysRequest())).keys
    assert verifies(result.signature_header + content, *keys)


async def test_the_key_of_a_parent_domain_is_not_guessed(signer: SignerServiceAsyncStub) -> None:
    results = (
        await signer.Sign(
            SignRequest(items=items(message("a@news.shop.example"), message("a@eshop.example")))
        )
    ).results

    assert [reason(result) for result in results] == ["NO_KEY", "NO_KEY"]


async def test_a_domain_that_is_given_wins_over_that_of_from(signer: SignerServiceAsyncStub) -> None:
    asked = [SignItem(content=MESSAGE, domain="OTHER.example", selector="s1")]

    (result,) = (await signer.Sign(SignRequest(items=asked))).results

    given = tags(result.signature_header)
    assert (given["d"], given["s"]) == ("other.example", "s1")


async def test_t_is_now_and_x_is_five_days_later(
    settings: SignerSettings, clock: ManualClock, add_key: AddKey
) -> None:
    add_key("shop.example", "s1")
    async with running(settings, clock) as server, connect(server.address) as channel:
        signer: SignerServiceAsyncStub = SignerServiceStub(channel)
        clock.advance(60)
        (result,) = (await signer.Sign(SignRequest(items=items(MESSAGE)))).results

    given = tags(result.signature_header)
    assert int(given["t"]) == START_MS // 1000 + 60
    assert int(given["x"]) - int(given["t"]) == 5 * 86_400


async def test_keys_are_listed_by_domain_and_selector(
    settings: SignerSettings, clock: ManualClock, add_key: AddKey
) -> None:
    for name in (("shop.example", "s2"), ("shop.example", "s1"), ("other.example", "s1")):
        add_key(*name)
    async with running(settings, clock) as server, connect(server.address) as channel:
        signer: SignerServiceAsyncStub = SignerServiceStub(channel)
        keys = (await signer.ListSigningKeys(ListSigningKeysRequest())).keys
        of_shop = (await signer.ListSigningKeys(ListSigningKeysRequest(domain="Shop.Example"))).keys
        of_nobody = (await signer.ListSigningKeys(ListSigningKeysRequest(domain="example"))).keys

    assert [(k.domain, k.selector, k.current) for k in keys] == [
        ("other.example", "s1", True),
        ("shop.example", "s1", True),
        ("shop.example", "s2", False),
    ]
    assert list(of_shop) == list(keys)[1:]
    assert not of_nobody
    assert {(k.bits, k.algorithm) for k in keys} == {(2048, KeyAlgorithm.KEY_ALGORITHM_RSA_SHA256)}
    assert {k.load_time.ToMilliseconds() for k in keys} == {START_MS}


async def test_each_traced_item_has_its_span_below_its_own_message(
    signer: SignerServiceAsyncStub, spans: InMemorySpanExporter
) -> None:
    refused = message("a@nokey.example")
    asked = [
        SignItem(content=MESSAGE, traceparent=SAMPLED),
        SignItem(content=MESSAGE, traceparent=SAMPLED[:-1] + "0"),
        SignItem(content=MESSAGE),
        SignItem(content=refused, traceparent=SAMPLED),
    ]

    await signer.Sign(SignRequest(items=asked))

    ended = sorted(spans.get_finished_spans(), key=lambda span: span.status.status_code.value)
    assert [span.name for span in ended] == ["signer.sign"] * 2
    assert {(s.parent.trace_id, s.parent.span_id) for s in ended if s.parent} == {
        (TRACE_ID, 0x00F067AA0BA902B7)
    }
    assert dict(ended[0].attributes or {}) == {
        "emta.signing_domain": "shop.example",
        "emta.selector": "s1",
    }
    assert (ended[1].status.status_code, ended[1].status.description) == (StatusCode.ERROR, "NO_KEY")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (SignItem(content=MESSAGE, domain="bücher.example"), "DOMAIN_INVALID"),
        (SignItem(content=MESSAGE, domain="shop.example\r\nX: y"), "DOMAIN_INVALID"),
        (SignItem(content=MESSAGE, selector="s 1"), "SELECTOR_INVALID"),
        (SignItem(content=MESSAGE, selector="a" * 64), "SELECTOR_INVALID"),
    ],
)
async def test_names_that_cannot_be_names_are_told_apart_from_missing_keys(
    signer: SignerServiceAsyncStub, given: SignItem, expected: str
) -> None:
    (result,) = (await signer.Sign(SignRequest(items=[given]))).results

    assert reason(result) == expected
