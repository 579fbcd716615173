"""What is wrong on the way to a service is said in the words of emta, not of gRPC."""

from __future__ import annotations

import grpc
import pytest

from emta.peer import Peer
from emta.problems import STATUS_DETAILS_KEY, unavailable

ALL = "connections to all backends failing; last error: "
UNAVAILABLE, UNIMPLEMENTED = grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNIMPLEMENTED
TOO_LATE = grpc.StatusCode.DEADLINE_EXCEEDED


def said(code: grpc.StatusCode, details: str, trailers: grpc.aio.Metadata | None = None) -> str:
    error = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailers or grpc.aio.Metadata(), details)
    return Peer("Bounce", "bounce.example:50053").problem(error).message


@pytest.mark.parametrize(
    ("details", "why"),
    [
        (
            f"{ALL}UNKNOWN: ipv6:%5B::1%5D:50053: Failed to connect to remote host: Connection refused",
            "connection refused",
        ),
        (
            f"{ALL}UNKNOWN: ipv4:10.0.0.1:50053: Failed to connect to remote host: getsockopt(SO_ERROR): "
            "Network is unreachable",
            "network is unreachable",
        ),
        (
            "errors resolving bounce.example:50053: [field:hostname lookup error:address lookup failed for "
            "bounce.example:50053: Domain name not found]",
            "its name cannot be resolved",
        ),
        ("Socket closed", "socket closed"),
    ],
)
def test_a_service_that_is_away_is_named_with_the_cause_and_nothing_more(details: str, why: str) -> None:
    assert said(UNAVAILABLE, details) == f"Bounce at bounce.example:50053 does not answer: {why}"


def test_what_a_service_itself_says_stays() -> None:
    status = unavailable("STORE_UNAVAILABLE", "the store: Does not answer").to_status()
    trailers = grpc.aio.Metadata((STATUS_DETAILS_KEY, status.SerializeToString()))

    assert said(UNAVAILABLE, "x", trailers) == "the store: Does not answer"


def test_another_service_at_the_address_is_told_with_the_setting() -> None:
    text = said(UNIMPLEMENTED, "Method not found!")

    assert text.startswith("what answers at bounce.example:50053 is not Bounce")
    assert "EMTA_CLIENT_BOUNCE" in text


def test_a_service_that_answers_too_late_is_named_with_the_time() -> None:
    text = said(TOO_LATE, "Deadline Exceeded")

    assert text == "Bounce at bounce.example:50053 has not answered within 30 s"
