"""Settings of the Signer."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.chassis.settings import Listen, ServiceSettings


class SignerSettings(ServiceSettings):
    """EMTA_SIGNER_*."""

    model_config = SettingsConfigDict(env_prefix="EMTA_SIGNER_")

    listen: Listen = Field(
        "127.0.0.1:50052", description="Address to serve gRPC on, host:port; port 0: any."
    )
    keys_dir: Path = Field(
        Path("var/dkim"),
        description="Folder of the private keys, one file a key, named as its DNS record: "
        "<selector>._domainkey.<domain>.pem. Others may not read them.",
    )
    min_bits: int = Field(
        2048, ge=1024, description="Smallest RSA key to sign with, bits; 1,024 at least (RFC 8301)."
    )
    threads: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=1,
        description="Threads that sign: as many as cores, unless told otherwise.",
    )
    signature_days: float = Field(
        5.0,
        gt=3.5,
        description="How long a signature is valid, days (x=): longer than the longest validity of a "
        "message, short enough to bound replay.",
    )
    reload_seconds: float = Field(
        10.0, gt=0, description="How often the key folder is looked at for new, changed and removed keys."
    )
