"""How every gRPC connection of emta is made: by clients and between the services."""

from __future__ import annotations

import json

import grpc

# One message may be 25 MiB (docs/reference/limits.md) and travels alone; the rest is framing.
MAX_RPC_BYTES = 32 * 1024 * 1024

_SERVICE_CONFIG = json.dumps(
    {
        # A headless Kubernetes service resolves to every pod: use them all.
        "loadBalancingConfig": [{"round_robin": {}}],
    }
)

OPTIONS: tuple[tuple[str, int | str], ...] = (
    ("grpc.max_send_message_length", MAX_RPC_BYTES),
    ("grpc.max_receive_message_length", MAX_RPC_BYTES),
    ("grpc.service_config", _SERVICE_CONFIG),
    # gRPC would repeat calls by itself; what may be repeated is decided by those who know the call.
    ("grpc.enable_retries", 0),
    # A service that restarts is found again within seconds, not within gRPC's two minutes.
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.keepalive_time_ms", 30_000),
)


def connect(target: str) -> grpc.aio.Channel:
    """Open a channel to `target` ("host:port", "dns:///name:port"); connects when first used."""
    return grpc.aio.insecure_channel(target, options=OPTIONS)
