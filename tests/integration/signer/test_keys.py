"""Key files: what is refused and why, and that one of them spoils nothing for the others."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from services.signer.keys import KeyFileError, KeyStore, load_key
from tests.integration.signer.conftest import AddKey


def pem(private: PrivateKeyTypes, password: bytes = b"") -> bytes:
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password:
        encryption = serialization.BestAvailableEncryption(password)
    return private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


@pytest.fixture(scope="module")
def small_key() -> bytes:
    return pem(rsa.generate_private_key(65537, 1024))


def write(
    folder: Path, content: bytes, name: str = "s1._domainkey.x.example.pem", mode: int = 0o600
) -> Path:
    path = folder / name
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o620, 0o602, 0o666])
def test_a_key_that_others_can_read_or_write_is_refused(add_key: AddKey, mode: int) -> None:
    path = add_key("shop.example", "s1")
    path.chmod(mode)

    with pytest.raises(KeyFileError, match=f"{path.name}: mode {mode:04o} lets others read it; chmod 0600"):
        load_key(path, 2048, 0)


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o440, 0o640])
def test_owner_and_group_may_read_a_key(add_key: AddKey, mode: int) -> None:
    path = add_key("shop.example", "s1")
    path.chmod(mode)

    assert load_key(path, 2048, 0).bits == 2048


def test_a_small_key_signs_only_where_the_setting_allows_it(keys_dir: Path, small_key: bytes) -> None:
    path = write(keys_dir, small_key)

    with pytest.raises(KeyFileError, match="1024 bits, at least 2048 are asked for"):
        load_key(path, 2048, 0)
    assert load_key(path, 1024, 0).bits == 1024


@pytest.mark.parametrize(
    "private", [ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())]
)
def test_a_key_that_is_not_rsa_is_refused_clearly(keys_dir: Path, private: PrivateKeyTypes) -> None:
    with pytest.raises(KeyFileError, match="not an RSA key; this version signs rsa-sha256"):
        load_key(write(keys_dir, pem(private)), 2048, 0)


def test_what_is_no_open_pem_key_is_refused_without_showing_it(keys_dir: Path, made_keys: Path) -> None:
    good = (made_keys / "s1._domainkey.shop.example.pem").read_bytes()
    private = serialization.load_pem_private_key(good, None)
    for content in (b"", b"secret words", good[:400], good[100:], pem(private, b"password"), b"\xff" * 9):
        with pytest.raises(KeyFileError, match=r"not an unencrypted PEM private key$") as raised:
            load_key(write(keys_dir, content), 2048, 0)
        # Its cause would be printed with it, and quotes what it could not read.
        assert raised.value.__suppress_context__


@pytest.mark.parametrize(
    "name", ["shop.example.pem", "._domainkey.x.example.pem", "s1._domainkey.pem", "s1.pem"]
)
def test_a_file_must_be_named_as_its_dns_record(keys_dir: Path, made_keys: Path, name: str) -> None:
    content = (made_keys / "s1._domainkey.shop.example.pem").read_bytes()

    with pytest.raises(KeyFileError, match=r"not named <selector>\._domainkey\.<domain>\.pem"):
        load_key(write(keys_dir, content, name), 2048, 0)


def test_bad_files_stop_no_good_key(
    keys_dir: Path, add_key: AddKey, small_key: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    write(keys_dir, b"garbage", "a._domainkey.shop.example.pem")
    write(keys_dir, small_key, "b._domainkey.shop.example.pem")
    write(keys_dir, small_key, "misnamed.pem")
    (keys_dir / "dangling._domainkey.shop.example.pem").symlink_to(keys_dir / "nowhere")
    (keys_dir / "folder._domainkey.shop.example.pem").mkdir(mode=0o700)
    write(keys_dir, b"not for us", "README")
    add_key("shop.example", "s1")
    store = KeyStore(keys_dir, 2048)

    store.refresh(0)

    found = store.find("shop.example", "")
    assert found is not None
    assert found.selector == "s1"
    refused = [record.fields["file"] for record in caplog.records if record.message == "key_refused"]  # type: ignore[attr-defined]
    assert len(refused) == 5


def test_an_unchanged_file_is_loaded_and_complained_of_once(
    keys_dir: Path, add_key: AddKey, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "emta")
    add_key("shop.example", "s1")
    write(keys_dir, b"garbage")
    store = KeyStore(keys_dir, 2048)
    for now_ms in range(3):
        store.refresh(now_ms)

    assert sorted(record.message for record in caplog.records) == ["key_loaded", "key_refused"]
    (key,) = store.list()
    assert key.load_ms == 0


def test_a_folder_that_is_missing_has_no_keys_until_it_is_there(tmp_path: Path, made_keys: Path) -> None:
    store = KeyStore(tmp_path / "later", 2048)
    store.refresh(0)
    assert store.list() == []

    (tmp_path / "later").symlink_to(made_keys)
    store.refresh(1)

    assert len(store.list()) == 3


def test_keygen_makes_a_private_file_and_the_record_of_its_key(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "keys"
    command = [sys.executable, "-m", "services.signer.keygen", "News.Shop.example"]
    command += ["--selector", "s7", "--keys-dir", str(folder)]

    made = subprocess.run(command, capture_output=True, text=True, check=True, umask=0o022)
    again = subprocess.run(command, capture_output=True, text=True, check=False)

    (path,) = folder.iterdir()
    assert path.name == "s7._domainkey.news.shop.example.pem"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    record = load_key(path, 2048, 0).dns_record
    assert made.stdout.splitlines()[-2:] == ["s7._domainkey.news.shop.example", record]
    assert str(path) in made.stdout
    assert "PRIVATE" not in made.stdout + made.stderr
    # A key in use is never replaced.
    assert again.returncode == 2
    assert again.stderr.startswith("keygen: ")
    assert os.listdir(folder) == [path.name]
