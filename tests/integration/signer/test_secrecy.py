"""Nothing of a private key leaves the Signer: no log, no span, no error, no answer, no repr."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from emta.channel import connect
from emta.signer.v1.signer_service_pb2 import ListSigningKeysRequest, SignItem, SignRequest
from emta.signer.v1.signer_service_pb2_grpc import SignerServiceStub
from services.signer.app import running
from services.signer.keys import KeyFileError, load_key
from services.signer.settings import SignerSettings
from tests.integration.signer.conftest import AddKey
from tests.integration.signer.messages import MESSAGE, message

if TYPE_CHECKING:
    from emta.signer.v1.signer_service_pb2_grpc import SignerServiceAsyncStub

SAMPLED = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def secrets_of(path: Path) -> list[str]:
    """What a leak would show: the lines of the file, and its secret numbers in both ways of writing."""
    lines = path.read_text().splitlines()
    private = load_pem_private_key(path.read_bytes(), None)
    assert isinstance(private, RSAPrivateKey)
    numbers = private.private_numbers()
    secret = (numbers.d, numbers.p, numbers.q)
    return (
        [line for line in lines if len(line) > 30] + [f"{n:x}" for n in secret] + [str(n) for n in secret]
    )


async def test_a_key_shows_in_nothing_that_the_signer_says(
    settings: SignerSettings,
    add_key: AddKey,
    keys_dir: Path,
    spans: InMemorySpanExporter,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    path = add_key("shop.example", "s1")
    secrets = secrets_of(path)
    # Cut short, so that a parser fails on it with the key in its hands.
    broken = keys_dir / "s2._domainkey.shop.example.pem"
    broken.write_bytes(path.read_bytes()[:-200])
    broken.chmod(0o600)
    with pytest.raises(KeyFileError) as refused:
        load_key(broken, 2048, 0)
    asked = [
        SignItem(content=MESSAGE, traceparent=SAMPLED),
        SignItem(content=MESSAGE, selector="s2", traceparent=SAMPLED),
        SignItem(content=message("(" * 5_000), traceparent=SAMPLED),
    ]

    async with running(settings) as server, connect(server.address) as channel:
        signer: SignerServiceAsyncStub = SignerServiceStub(channel)
        answer = await signer.Sign(SignRequest(items=asked))
        listed = await signer.ListSigningKeys(ListSigningKeysRequest())

    logged = [str(record.__dict__) for record in caplog.records]
    traced = [span.to_json() for span in spans.get_finished_spans()]
    # What says nothing shows nothing: all of these must have spoken.
    assert any("key_loaded" in line for line in logged)
    assert any("key_refused" in line for line in logged)
    assert len(traced) == 3
    key = load_key(path, 2048, 0)
    said = [
        *logged,
        *traced,
        str(answer),
        str(listed),
        repr(refused.value),
        repr(key),
        str(key),
        f"{settings!r}",
    ]
    assert secrets
    assert [text for text in said for secret in secrets if secret in text] == []
