from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from emta.channel import connect
from emta.signer.v1.signer_service_pb2_grpc import SignerServiceStub
from services.chassis.settings import load_settings
from services.signer.app import running
from services.signer.keygen import make_key
from services.signer.settings import SignerSettings

if TYPE_CHECKING:
    from emta.signer.v1.signer_service_pb2_grpc import SignerServiceAsyncStub

AddKey = Callable[[str, str], Path]


@pytest.fixture(scope="session")
def made_keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keys for all tests: one takes a tenth of a second to make."""
    folder = tmp_path_factory.mktemp("made")
    for domain, selector in (("shop.example", "s1"), ("shop.example", "s2"), ("other.example", "s1")):
        make_key(domain, selector, folder)
    return folder


@pytest.fixture
def keys_dir(tmp_path: Path) -> Path:
    """The service's key folder; empty."""
    folder = tmp_path / "dkim"
    folder.mkdir()
    return folder


@pytest.fixture
def add_key(made_keys: Path, keys_dir: Path) -> AddKey:
    """Put the key of a domain and selector into the service's folder, whole at once."""

    def add(domain: str, selector: str) -> Path:
        name = f"{selector}._domainkey.{domain}.pem"
        shutil.copy2(made_keys / name, keys_dir / f"{name}.new")
        return (keys_dir / f"{name}.new").rename(keys_dir / name)

    return add


@pytest.fixture
def settings(keys_dir: Path) -> SignerSettings:
    environ = {
        "EMTA_SIGNER_LISTEN": "127.0.0.1:0",
        "EMTA_SIGNER_KEYS_DIR": str(keys_dir),
        "EMTA_SIGNER_THREADS": "2",
        "EMTA_SIGNER_RELOAD_SECONDS": "0.02",
    }
    return load_settings(SignerSettings, environ)


@pytest.fixture
async def signer(settings: SignerSettings, add_key: AddKey) -> AsyncIterator[SignerServiceAsyncStub]:
    """A Signer with a key for shop.example and one for other.example, by the real time: x= is checked."""
    add_key("shop.example", "s1")
    add_key("other.example", "s1")
    async with running(settings) as server, connect(server.address) as channel:
        yield SignerServiceStub(channel)


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """Takes the spans of this test only: a process has one global provider, and it is not ours."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer", provider.get_tracer)
    return exporter
