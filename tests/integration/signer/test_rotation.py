"""Keys come, change and go while the Signer runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from emta.signer.v1.signer_service_pb2 import ListSigningKeysRequest, SignItem, SignRequest
from tests.integration.signer.conftest import AddKey
from tests.integration.signer.messages import MESSAGE, items, reason, tags, verifies
from tests.support.eventually import eventually

if TYPE_CHECKING:
    from emta.signer.v1.signer_service_pb2_grpc import SignerServiceAsyncStub


async def selectors(signer: SignerServiceAsyncStub) -> dict[str, bool]:
    """Selectors of shop.example, and whether each is the current one."""
    keys = (await signer.ListSigningKeys(ListSigningKeysRequest(domain="shop.example"))).keys
    return {key.selector: key.current for key in keys}


async def until(signer: SignerServiceAsyncStub, expected: dict[str, bool]) -> None:
    async def so() -> bool:
        return await selectors(signer) == expected

    await eventually(so, f"{expected}")


def point_at(keys_dir: Path, selector: bytes) -> None:
    """Name the current selector, whole at once."""
    (keys_dir / "new").write_bytes(selector)
    (keys_dir / "new").rename(keys_dir / "shop.example.current")


async def test_a_rotation_as_the_readme_tells_it(
    signer: SignerServiceAsyncStub, keys_dir: Path, add_key: AddKey
) -> None:
    add_key("shop.example", "s2")
    # There, and not used yet: its record can be published first.
    await until(signer, {"s1": True, "s2": False})
    before = (await signer.Sign(SignRequest(items=items(MESSAGE)))).results[0].signature_header
    old_keys = (await signer.ListSigningKeys(ListSigningKeysRequest())).keys

    point_at(keys_dir, b"s2\n")
    await until(signer, {"s1": False, "s2": True})
    after = (await signer.Sign(SignRequest(items=items(MESSAGE)))).results[0].signature_header

    assert (tags(before)["s"], tags(after)["s"]) == ("s1", "s2")
    # The old one stays good for what is on its way, and for who asks for it by name.
    assert verifies(before + MESSAGE, *old_keys)
    assert verifies(after + MESSAGE, *old_keys)
    named = SignRequest(items=[SignItem(content=MESSAGE, selector="s1")])
    assert tags((await signer.Sign(named)).results[0].signature_header)["s"] == "s1"

    (keys_dir / "s1._domainkey.shop.example.pem").unlink()
    await until(signer, {"s2": True})
    assert reason((await signer.Sign(named)).results[0]) == "NO_KEY"


async def test_a_key_that_is_replaced_is_loaded_again(
    signer: SignerServiceAsyncStub, keys_dir: Path, made_keys: Path
) -> None:
    (old,) = (await signer.ListSigningKeys(ListSigningKeysRequest(domain="shop.example"))).keys
    (keys_dir / "new").write_bytes((made_keys / "s2._domainkey.shop.example.pem").read_bytes())
    (keys_dir / "new").chmod(0o600)
    (keys_dir / "new").rename(keys_dir / "s1._domainkey.shop.example.pem")

    async def replaced() -> bool:
        (key,) = (await signer.ListSigningKeys(ListSigningKeysRequest(domain="shop.example"))).keys
        return key.dns_record != old.dns_record

    await eventually(replaced, "the new key")
    signature = (await signer.Sign(SignRequest(items=items(MESSAGE)))).results[0].signature_header
    assert not verifies(signature + MESSAGE, old)


async def test_a_key_that_becomes_readable_to_all_signs_no_more(
    signer: SignerServiceAsyncStub, keys_dir: Path
) -> None:
    (keys_dir / "s1._domainkey.shop.example.pem").chmod(0o644)

    await until(signer, {})
    (result,) = (await signer.Sign(SignRequest(items=items(MESSAGE)))).results
    assert reason(result) == "NO_KEY"

    (keys_dir / "s1._domainkey.shop.example.pem").chmod(0o600)
    await until(signer, {"s1": True})


async def test_a_current_that_names_no_key_is_not_followed(
    signer: SignerServiceAsyncStub, keys_dir: Path, add_key: AddKey
) -> None:
    point_at(keys_dir, b"s9")
    add_key("shop.example", "s2")

    await until(signer, {"s1": True, "s2": False})


async def test_a_current_that_is_no_text_does_not_end_the_following_of_keys(
    signer: SignerServiceAsyncStub, keys_dir: Path, add_key: AddKey, caplog: pytest.LogCaptureFixture
) -> None:
    add_key("shop.example", "s2")
    await until(signer, {"s1": True, "s2": False})
    point_at(keys_dir, b"\xff\xfe")

    async def read() -> bool:
        return any(record.message == "current_key_missing" for record in caplog.records)

    # Without having read it, the Signer would have nothing to survive.
    await eventually(read, "the file to be read")
    assert await selectors(signer) == {"s1": True, "s2": False}

    point_at(keys_dir, b"s2")
    await until(signer, {"s1": False, "s2": True})
